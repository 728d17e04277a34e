#!/usr/bin/env python3
"""Reads the route sets and conversations in data/authored/*.txt, which were written one by one.

    python3 authored.py FILE...     checks files and counts what is in them; exit 1 if anything is wrong

A file holds sets; a set is a line `=== id`, its routes as `name: description`, a blank line, and its conversations. Below a route,
`~ text` is another description that means the same, and `~~ name` another name. A conversation
begins with `%%` and its label (a route's name or `other`); the text goes on over any number of lines. It is one user message, or
messages that begin with `U> ` and `A> `, by turns, the first and the last the user's.
"""
import collections, re, sys
from pathlib import Path


class Fault(ValueError):
    """Something in a file that is against the format."""


def read_sets(path):
    """-> [(id, [{"name", "description", "rewordings", "names"}...], [(label, [{"role", "content"}...])...])...]. Raises Fault."""
    sets, in_routes, label, text = [], False, None, []

    def end():
        nonlocal label
        if label is not None:
            sets[-1][2].append((label, conversation('\n'.join(text).strip('\n'), f'{path}: {sets[-1][0]}')))
        label = None

    for number, line in enumerate(Path(path).read_text(encoding='utf-8').split('\n'), 1):
        if line.startswith('=== '):
            end()
            sets.append((line[3:].strip(), [], []))
            in_routes = True
        elif line.strip() and not sets:
            raise Fault(f'{path}:{number}: text before the first set')
        elif line.startswith('%%'):
            end()
            in_routes = False
            label, _, first = line[2:].partition(' ')
            text = [first]
        elif in_routes and line.startswith('~'):
            if not sets[-1][1]:
                raise Fault(f'{path}:{number}: another wording, but no route before it')
            kind = 'names' if line.startswith('~~') else 'rewordings'
            sets[-1][1][-1][kind].append(line.lstrip('~').strip())
        elif in_routes and line.strip():
            name, found, description = line.partition(': ')
            if not found or not description.strip():
                raise Fault(f'{path}:{number}: no "name: description"')
            sets[-1][1].append({'name': name, 'description': description, 'rewordings': [], 'names': []})
        elif not in_routes:
            text.append(line)
    end()
    for name, routes, items in sets:
        names = [route['name'] for route in routes]
        unknown = {label for label, _ in items} - {*names, 'other'}
        if len(names) != len(set(names)) or 'other' in names or unknown:
            raise Fault(f'{path}: {name}: names repeated, or labels without a route: {unknown}')
    return sets


def conversation(text, where):
    """The text of one -> its messages."""
    if not re.match('[UA]> ', text):
        messages = [['user', text]]
    else:
        messages = []
        for line in text.split('\n'):
            turn = re.match(r'([UA])> ?(.*)', line)
            if turn:
                messages.append(['user' if turn[1] == 'U' else 'assistant', turn[2]])
            else:
                messages[-1][1] += '\n' + line
    roles = [role for role, _ in messages]
    if roles != ['user', 'assistant'] * (len(roles) // 2) + ['user'] or any(not content.strip() for _, content in messages):
        raise Fault(f'{where}: turns do not alternate, or one is empty: {text[:60]!r}')
    return [{'role': role, 'content': content.strip()} for role, content in messages]


def main():
    wrong = False
    for path in sys.argv[1:]:
        try:
            sets = read_sets(path)
        except Fault as fault:
            print(fault)
            wrong = True
            continue
        for name, routes, items in sets:
            labels = collections.Counter(label for label, _ in items)
            unused = [route['name'] for route in routes if not labels[route['name']]]
            turns = sum(len(messages) > 1 for _, messages in items)
            long = sum(len(messages[-1]['content']) > 700 for _, messages in items)
            print(f'{path}: {name}: {len(routes)} routes, {len(items)} conversations, {labels["other"]} other, {turns} of several turns, '
                  f'{long} long' + (f', none for {unused}' if unused else ''))
    sys.exit(wrong)


if __name__ == '__main__':
    main()
