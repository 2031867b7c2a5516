/** The two sorts of POSIX sh that a cell writes for machines, read strictly: `KEY='value'` answers and plan scripts of one call a line. */

/** One call of a plan script: a function of `/muster/steps.sh` and its arguments. */
export interface PlanCall {
  readonly line: number;
  readonly name: string;
  readonly words: readonly string[];
}

/** What the shell would do something else with than pass it on. */
const special = /[$`"\\;&|<>(){}*?[\]#~!]/;

/**
 * The words of one simple command. Only plain words, single quotes and `\'` between them are known; anything that a shell would expand,
 * redirect or join is an error, since a plan never needs it.
 * @throws Error that names the character.
 */
export function shellWords(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let at = 0;
  while (at < line.length) {
    const letter = line[at] ?? '';
    if (letter === "'") {
      const end = line.indexOf("'", at + 1);
      if (end < 0) throw new Error('a quote without its end');
      word = (word ?? '') + line.slice(at + 1, end);
      at = end + 1;
    } else if (letter === '\\' && line[at + 1] === "'") {
      word = `${word ?? ''}'`;
      at += 2;
    } else if (letter === ' ' || letter === '\t') {
      if (word !== undefined) words.push(word);
      word = undefined;
      at += 1;
    } else if (special.test(letter)) {
      throw new Error(`${JSON.stringify(letter)} outside of quotes`);
    } else {
      word = (word ?? '') + letter;
      at += 1;
    }
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** The calls of a plan script. @throws Error with the line's number when it is anything but the functions' source line and calls. */
export function readPlan(script: string): PlanCall[] {
  const lines = script.split('\n');
  const first = lines.findIndex((line) => line.trim() !== '' && !line.startsWith('#'));
  if (lines[first]?.trim() !== '. /muster/steps.sh') throw new Error('the plan does not begin with . /muster/steps.sh');
  return lines.flatMap((text, index): PlanCall[] => {
    if (index <= first || text.trim() === '' || text.startsWith('#')) return [];
    let words;
    try {
      words = shellWords(text);
    } catch (error) {
      throw new Error(`line ${index + 1} of the plan: ${(error as Error).message}`, { cause: error });
    }
    const [name = '', ...rest] = words;
    if (!/^[a-z][a-z_]*$/.test(name)) throw new Error(`line ${index + 1} of the plan calls ${JSON.stringify(name)}`);
    return [{ line: index + 1, name, words: rest }];
  });
}

/** The lines `KEY='value'` of an answer; others are left out, as the agent leaves them out. */
export function readAnswer(text: string): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^([A-Z_]+)='((?:[^']|'\\'')*)'$/.exec(line);
    if (match) pairs.set(match[1] ?? '', (match[2] ?? '').replaceAll("'\\''", "'"));
  }
  return pairs;
}
