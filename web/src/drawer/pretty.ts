// JSON with a line for each member, and every value as it was written: through JSON.parse,
// long numbers and repeated members would change.

/** Indents a JSON text by two. What is no JSON stays as it is, in its parts. */
export function pretty(json: string): string {
  const out: string[] = [];
  let depth = 0;
  const line = () => out.push("\n", "  ".repeat(Math.max(0, depth)));
  const tokens = json.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+|"/g) ?? [];
  tokens.forEach((token, i) => {
    const empty = (token === "{" && tokens[i + 1] === "}") || (token === "[" && tokens[i + 1] === "]");
    if (token === "{" || token === "[") {
      out.push(token);
      depth++;
      if (!empty) line();
    } else if (token === "}" || token === "]") {
      depth--;
      if (tokens[i - 1] !== "{" && tokens[i - 1] !== "[") line();
      out.push(token);
    } else if (token === ",") {
      out.push(token);
      line();
    } else out.push(token === ":" ? ": " : token);
  });
  return out.join("");
}
