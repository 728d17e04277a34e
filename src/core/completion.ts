/** What a server's model thinks comes after a text. */
export interface NextTokens {
  /**
   * The likeliest tokens: the bytes of each (a character a byte, since a token may be part of a character) and its natural
   * log-probability among the whole vocabulary.
   */
  readonly tokens: ReadonlyMap<string, number>;
  /** Log-probability of the least likely one listed: none that is missing is likelier. */
  readonly least: number;
  /** Tokens of the text, and how many of them the server had evaluated before; 0 where it does not say. */
  readonly prompt: number;
  readonly cached: number;
}

/** The port to a server that completes texts. */
export interface CompletionServer {
  /** Name of its model. */
  readonly model: string;
  /** Tokens that its context holds; undefined where it does not say. */
  readonly context: number | undefined;
  /**
   * The `count` likeliest tokens after a text, or as many as the server is willing to list. Calls may overlap. Throws
   * E_TOO_LARGE if the text is too long for it, E_REMOTE for all else that went wrong.
   */
  next(text: string, count: number): Promise<NextTokens>;
  /** The tokens that it makes of a text, as bytes; undefined where it does not tell. Throws E_REMOTE. */
  split(text: string): Promise<readonly string[] | undefined>;
  /** Ends what is under way. */
  close(): Promise<void>;
}
