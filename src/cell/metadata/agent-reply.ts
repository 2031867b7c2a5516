/** Answers to the agent: lines `KEY='value'` that sh can source (docs/agent-protocol.md). */

/** @throws RangeError for a key that sh could not assign to. */
export function agentReply(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([key, value]) => {
      if (!/^[A-Z][A-Z_]*$/.test(key)) throw new RangeError(`not a name for sh: ${key}`);
      return `${key}='${value.replaceAll("'", "'\\''")}'\n`;
    })
    .join('');
}
