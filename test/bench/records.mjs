/** What people ask while they program, short and long, some with what was said before. */
const conversations = [
  ["fix this bug: TypeError: Cannot read properties of undefined (reading 'map')"],
  ["why is my loop slow"],
  ["write a function that parses ISO 8601 durations and returns seconds, in Go, with tests"],
  ["What is the difference between a mutex and a semaphore? When would you use one and not the other?"],
  ["how do I page through the results of the GitHub REST API with a personal token"],
  ["what will the weather be in Lisbon on Sunday"],
  ["write a binary search in Go", "func search(a []int, x int) int { /* … */ }", "now make it faster"],
  [
    "My service gets slower the longer it runs. After a day a request takes 800 ms instead of 20. The heap grows from 90 MB to 1.4 GB, the profiler shows most of the time in the garbage collector, and a restart cures it. I keep the last responses in a Map with the URL as its key and never delete anything. What should I change first?",
  ],
  [
    "Traceback (most recent call last):\n  File \"app.py\", line 12, in <module>\n    main()\n  File \"app.py\", line 8, in main\n    total += int(row['price'])\nValueError: invalid literal for int() with base 10: '12.50'",
  ],
  ["thanks, that worked!"],
  ["Generate a Dockerfile for a FastAPI service that uses poetry"],
  ["is it good style to return early from a function"],
];

/**
 * So many different conversations. Another `seed`, others: a server that remembers old prompts shall not profit.
 * @returns {import("../../dist/index.js").Conversation[]}
 */
export function makeConversations(count, seed) {
  return Array.from({ length: count }, (_, index) =>
    conversations[index % conversations.length].map((content, turn) => ({
      role: turn % 2 === 0 ? "user" : "assistant",
      content: turn === 0 ? `${content} (case ${seed}-${index})` : content,
    })),
  );
}

/** Conversations as JSONL. */
export function toJsonl(list) {
  return list.map((messages, id) => `${JSON.stringify({ id, messages })}\n`).join("");
}
