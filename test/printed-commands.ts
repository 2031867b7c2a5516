/** Finds the commands that documents and sources tell a person to run: pure. */

/**
 * The commands in the `sh` blocks of a Markdown text: one a line; comments and empty lines left out, lines joined at a trailing backslash,
 * a leading `$ ` dropped.
 */
export function commandsInMarkdown(text: string): string[] {
  const blocks = [...text.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map((match) => match[1] ?? '');
  return blocks.flatMap((block) =>
    block
      .replaceAll(/\\\n\s*/g, '')
      .split('\n')
      .map((line) =>
        line
          .replace(/^\$ /, '')
          .replace(/\s+#.*$/, '')
          .trim(),
      )
      .filter((line) => line !== '' && !line.startsWith('#')),
  );
}

/** Where a text names a command of ours: the rest of that line from there on. */
export function mentionsIn(text: string): string[] {
  return [...text.matchAll(/(?:\.\/muster|\bnpm (?:start|test|run))\b[^\n]*/g)].map((match) => match[0]);
}

const isValue = (word: string) => /^[A-Z][A-Z0-9_]*$/.test(word);

/** Whether a text begins with a command; a word in capitals stands for any one word. */
export function beginsWith(text: string, command: string): boolean {
  const words = text.split(/\s+/);
  return command.split(' ').every((wanted, index) => {
    const word = words[index];
    if (word === undefined) return false;
    // Prose goes on after a command: quotes and punctuation are not part of it.
    return isValue(wanted) || word === wanted || word.replace(/[`'",.;:)]+.*$/, '') === wanted;
  });
}

/** The commands among some that a mention could mean; a longer one is meant rather than a shorter one. */
export function meant(mention: string, commands: readonly string[]): string | undefined {
  return commands.filter((command) => beginsWith(mention, command)).toSorted((a, b) => b.length - a.length)[0];
}
