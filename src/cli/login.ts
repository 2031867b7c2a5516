/** `muster login`, `logout` and `profiles`: which APIs the other commands call. */
import { hostname, userInfo } from 'node:os';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { Command } from 'commander';
import { createClient } from '../http/client.ts';
import { readProfiles, writeProfiles } from './profile-file.ts';
import { SettingsError } from './settings.ts';

export interface LoginOptions {
  readonly profileFile: string;
  readonly write: (text: string) => void;
}

export function loginCommands({ profileFile, write }: LoginOptions): Command[] {
  const login = new Command('login')
    .description('Remember an API under a name. Without a key it asks for user and password, and trades them for one.')
    .argument('<profile>', 'the name to remember it by')
    .argument('<url>', 'such as http://127.0.0.1:5240')
    .argument('[key]', 'an API key; - reads it from standard input')
    .action(async (profile: string, url: string, given?: string) => {
      if (!/^https?:\/\/[^/]/.test(url)) throw new SettingsError(`«${url}» is no URL: http://HOST:PORT is meant.`);
      const key = given === '-' ? (await answers(['']))[0]?.trim() : given;
      const known = key ?? (await trade(url));
      if (!/^[^:]+:[^:]+:[^:]+$/.test(known)) throw new SettingsError('An API key has three parts, with colons between them.');
      const user = await createClient({ url, key: known }).call('Users.whoami', {}, {});
      const { profiles } = await readProfiles(profileFile);
      await writeProfiles(profileFile, { current: profile, profiles: { ...profiles, [profile]: { url, key: known } } });
      write(`You are ${user.username} at ${url}; the profile is ${profile}.\n`);
    });
  const logout = new Command('logout')
    .description('Forget a profile. The key itself stays good: revoke it with ./muster account delete-authorisation-token.')
    .argument('<profile>')
    .action(async (profile: string) => {
      const { current, profiles } = await readProfiles(profileFile);
      if (!Object.hasOwn(profiles, profile)) throw new SettingsError(`There is no profile ${profile}.`);
      const { [profile]: _, ...rest } = profiles;
      await writeProfiles(profileFile, { current: current === profile ? Object.keys(rest)[0] : current, profiles: rest });
      write(`The profile ${profile} is forgotten.\n`);
    });
  const list = new Command('profiles')
    .description('List the profiles; the one with a star is meant when none is named.')
    .action(async () => {
      const { current, profiles } = await readProfiles(profileFile);
      const lines = Object.entries(profiles).map(([name, { url }]) => `${name === current ? '*' : ' '} ${name}  ${url}\n`);
      write(lines.join('') || 'None yet: ./muster login PROFILE URL\n');
    });
  return [login, logout, list];
}

/** User and password, asked for, against a key. */
async function trade(url: string): Promise<string> {
  const [username = '', password = ''] = await answers(['User: ', 'Password: ']);
  const consumer = `${userInfo().username}@${hostname()}`;
  const token = await createClient({ url }).call('Authenticate.create', {}, { username, password, consumer });
  return [token.consumer_key, token.token_key, token.token_secret].join(':');
}

/** Lines from standard input; a question about a password is answered unseen. */
async function answers(questions: readonly string[]): Promise<string[]> {
  let silent = false;
  const echo = new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (!silent) process.stderr.write(chunk);
      done();
    },
  });
  const lines = createInterface({ input: process.stdin, output: echo, terminal: process.stdin.isTTY === true });
  const iterator = lines[Symbol.asyncIterator]();
  const found: string[] = [];
  for (const question of questions) {
    process.stderr.write(question);
    silent = question.startsWith('Password');
    const next = await iterator.next();
    if (silent) process.stderr.write('\n');
    found.push(next.done === true ? '' : next.value);
  }
  lines.close();
  return found;
}
