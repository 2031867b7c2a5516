/** Which scripts a commissioning or test runs, from what the caller named. Pure but for reading global config from memory. */
import { invalid } from '../../contract/errors.ts';
import { wordList } from '../../contract/word-list.ts';
import type { GlobalReader } from '../../global/document.ts';

/** What writes to disks, and what its maker has tagged `noauto` as in MAAS, runs only where somebody names it. */
function isByNameOnly({ destructive, tags }: { readonly destructive?: boolean; readonly tags: readonly string[] }): boolean {
  return destructive === true || tags.includes('noauto');
}

/** `text`: names or tags separated by commas, `none`, or undefined for all. @throws Failure `invalid` for a name that nothing has. */
export function chooseScripts(
  parameter: 'commissioning_scripts' | 'testing_scripts',
  text: string | undefined,
  all: readonly string[],
  global: Pick<GlobalReader, 'list'>,
): readonly string[] {
  if (text === undefined) {
    const byNameOnly = new Set(global.list('script').flatMap((script) => (isByNameOnly(script) ? [script.name] : [])));
    return all.filter((name) => !byNameOnly.has(name));
  }
  const words = wordList([text]);
  const tagged = new Map(global.list('script').map((script) => [script.name, script.tags]));
  // What comes with the cell belongs to no one's choice: a commissioning without its inventory finds out nothing.
  const always = parameter === 'commissioning_scripts' ? all.filter((name) => !tagged.has(name)) : [];
  if (words.length === 1 && words[0] === 'none') return always;
  const chosen = new Set(always);
  for (const word of words) {
    const found = all.filter((name) => name === word || tagged.get(name)?.includes(word) === true);
    if (found.length === 0) {
      throw invalid({ [parameter]: [`Select a valid choice. ${word.slice(0, 100)} is not one of the available choices.`] });
    }
    for (const name of found) chosen.add(name);
  }
  return all.filter((name) => chosen.has(name));
}
