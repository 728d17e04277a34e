/** Scripts for shells, as text. */

/** What a shell is to complete. */
export interface Completion {
  /** Names and descriptions of the commands. */
  readonly commands: readonly (readonly [string, string])[];
  /** The commands of a command. */
  readonly subcommands: ReadonlyMap<string, readonly string[]>;
  readonly options: readonly CompletedOption[];
}

export interface CompletedOption {
  readonly long: string;
  readonly short?: string | undefined;
  readonly description: string;
  /** What its value is: given words, a file, words that the program prints when it is asked, or anything; undefined: none. */
  readonly value?:
    | "file"
    | "any"
    | { readonly words: readonly string[] }
    | { readonly ask: "routes" | "models" }
    | undefined;
}

export const completionShells = ["bash", "zsh", "fish", "powershell"] as const;
export type CompletionShell = (typeof completionShells)[number];

export const aliasShells = ["bash", "zsh", "fish"] as const;
export type AliasShell = (typeof aliasShells)[number];

/** A script that completes the program's command line; to be sourced by the shell it is for. */
export function completionScript(shell: CompletionShell, completion: Completion): string {
  return { bash, zsh, fish, powershell }[shell](completion);
}

const ask = (what: string) => `arch-route completion --list ${what} 2>/dev/null`;

function bash({ commands, subcommands, options }: Completion): string {
  const list = (words: readonly string[]) => `$'${words.join("\\n")}'`;
  const offer = (words: string) => `COMPREPLY=($(compgen -W ${words} -- "$word"))`;
  const files = 'COMPREPLY+=($(compgen -f -- "$word"))';
  const cases = options.flatMap(({ long, short, value }) => {
    const names = [short, long].filter((name) => name !== undefined).join("|");
    if (value === undefined) return [];
    if (value === "any") return [`    ${names}) return ;;`];
    if (value === "file") return [`    ${names}) ${files}; return ;;`];
    if ("words" in value) return [`    ${names}) ${offer(list(value.words))}; return ;;`];
    return [
      `    ${names}) ${offer(`"$(${ask(value.ask)})"`)}; COMPREPLY=("\${COMPREPLY[@]#"$colon"}"); ${files}; return ;;`,
    ];
  });
  const second = [...subcommands].map(([name, words]) => `    ${name}) words=${list(words)} ;;`);
  return `# bash completion of arch-route; in ~/.bashrc: eval "$(arch-route completion bash)"
_arch_route() {
  local IFS=$'\\n' at=$COMP_CWORD words=
  local word=\${COMP_WORDS[at]} before=\${COMP_WORDS[at-1]} colon=
  # bash takes apart what is written with : or = in it.
  if [ "$before" = : ] && [ "$at" -ge 3 ]; then word=\${COMP_WORDS[at-2]}:$word before=\${COMP_WORDS[at-3]}
  elif [ "$word" = : ] && [ "$at" -ge 2 ]; then word=$before: before=\${COMP_WORDS[at-2]}
  elif [ "$before" = = ] && [ "$at" -ge 2 ]; then before=\${COMP_WORDS[at-2]}
  elif [ "$word" = = ]; then word=
  fi
  case $word in *:*) colon=\${word%"\${word##*:}"} ;; esac
  COMPREPLY=()
  case $before in
${cases.join("\n")}
  esac
  case $word in -*) ${offer(list([...options.map(({ long }) => long), "--help", "--version"]))}; return ;; esac
  if [ "$at" -eq 1 ]; then words=${list(commands.map(([name]) => name))}; fi
  if [ "$at" -eq 2 ]; then case $before in
${second.join("\n")}
  esac; fi
  ${offer('"$words"')}
}
complete -o filenames -o bashdefault -F _arch_route arch-route
`;
}

function zsh({ commands, subcommands, options }: Completion): string {
  const text = (words: string) => words.replace(/[[\]:'\\]/g, (char) => (char === "'" ? "'\\''" : `\\${char}`));
  const actions = options.map(({ long, short, description, value }) => {
    const action =
      value === undefined
        ? ""
        : value === "any"
          ? ":value: "
          : value === "file"
            ? ":file:_files"
            : "words" in value
              ? `:value:(${value.words.join(" ")})`
              : `:value:_arch_route_${value.ask}`;
    const names = short === undefined ? `'${long}` : `{${short},${long}}'`;
    return `    ${names}[${text(description)}]${action}'`;
  });
  const second = [...subcommands].map(([name, words]) => `    ${name}) compadd -- ${words.join(" ")} ;;`);
  return `#compdef arch-route
# zsh completion of arch-route; in ~/.zshrc, after compinit: eval "$(arch-route completion zsh)"
_arch_route_routes() { compadd -- \${(f)"$(${ask("routes")})"}; _files }
_arch_route_models() { compadd -- \${(f)"$(${ask("models")})"}; _files -g '*.gguf' }
_arch_route_commands() {
  local -a commands=(
${commands.map(([name, description]) => `    '${text(name)}:${text(description)}'`).join("\n")}
  )
  _describe command commands
}
_arch_route_second() {
  case $words[2] in
${second.join("\n")}
  esac
}
_arch_route() {
  _arguments -s \\
${actions.join(" \\\n")} \\
    '1:command:_arch_route_commands' '2:command:_arch_route_second' '*:prompt: '
}
compdef _arch_route arch-route
`;
}

function fish({ commands, subcommands, options }: Completion): string {
  const quote = (words: string) => `'${words.replace(/[\\']/g, "\\$&")}'`;
  const lines = options.map(({ long, short, description, value }) => {
    const argument =
      value === undefined
        ? ""
        : value === "any"
          ? " -x"
          : value === "file"
            ? " -r -F"
            : "words" in value
              ? ` -x -a ${quote(value.words.join(" "))}`
              : ` -r -F -a ${quote(`(${ask(value.ask)})`)}`;
    const letter = short === undefined ? "" : ` -s ${short.slice(1)}`;
    return `complete -c arch-route -l ${long.slice(2)}${letter}${argument} -d ${quote(description)}`;
  });
  const first = commands.map(
    ([name, description]) => `complete -c arch-route -n __fish_use_subcommand -a ${name} -d ${quote(description)}`,
  );
  const second = [...subcommands].map(
    ([name, words]) => `complete -c arch-route -n '__fish_seen_subcommand_from ${name}' -a ${quote(words.join(" "))}`,
  );
  return `# fish completion of arch-route; in config.fish: arch-route completion fish | source
complete -c arch-route -f
${[...first, ...second, ...lines].join("\n")}
`;
}

function powershell({ commands, subcommands, options }: Completion): string {
  const list = (words: readonly string[]) => words.map((word) => `'${word.replaceAll("'", "''")}'`).join(", ");
  const second = [...subcommands].map(([name, words]) => `    '${name}' = @(${list(words)})`);
  return `# PowerShell completion of arch-route; in $PROFILE: arch-route completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName arch-route -ScriptBlock {
  param($word, $line, $position)
  $second = @{
${second.join("\n")}
  }
  $elements = @($line.CommandElements | ForEach-Object { "$_" })
  $before = if ($word) { $elements[-2] } else { $elements[-1] }
  $candidates = if ($word -like '-*') { @(${list(options.map(({ long }) => long))}) }
    elseif ($before -in '-r', '--routes') { arch-route completion --list routes }
    elseif ($before -in '-m', '--model') { arch-route completion --list models }
    elseif ($second.ContainsKey($before)) { $second[$before] }
    else { @(${list(commands.map(([name]) => name))}) }
  $candidates | Where-Object { $_ -like "$word*" } | ForEach-Object {
    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
  }
}
`;
}

/** A function \`ask\` that routes a prompt and runs the command of its route. */
export function aliasScript(shell: AliasShell): string {
  if (shell === "fish") {
    return `# in config.fish: arch-route alias fish | source
function ask --description 'Route a prompt and run the command of its route' --wraps 'arch-route -x'
  command arch-route -x $argv
end
`;
  }
  // Not `ask() {`: read a second time, zsh would put the alias in place of the name.
  const body = `function ask {
  command arch-route -x "$@"
}
`;
  if (shell === "bash") return `# in ~/.bashrc: eval "$(arch-route alias bash)"\n${body}`;
  // Without noglob zsh takes the ? of a question for a pattern.
  return `# in ~/.zshrc: eval "$(arch-route alias zsh)"\n${body}alias ask='noglob ask'\n`;
}
