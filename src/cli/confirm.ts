/** A question before something that cannot be undone. */
import { createInterface } from 'node:readline/promises';
import { SettingsError } from './settings.ts';

/** True at once with `yes`; asked on a terminal, where only the whole word counts. @throws SettingsError where nobody can be asked. */
export async function confirm(question: string, yes: boolean): Promise<boolean> {
  if (yes) return true;
  if (process.stdin.isTTY !== true) throw new SettingsError(`${question} Nobody is there to ask: say --yes. Nothing was changed.`);
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await lines.question(`${question} (yes/no) `)).trim().toLowerCase() === 'yes';
  } finally {
    lines.close();
  }
}
