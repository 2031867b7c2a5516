/** Where the commands that call an API find it: profiles, each a URL and an API key, in one file that only its owner can read. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SettingsError } from './settings.ts';

export interface Profile {
  /** `http://host:5240`, of a front, a standalone cell or a hub. */
  readonly url: string;
  /** `consumer:token:secret`. */
  readonly key: string;
}

export interface Profiles {
  /** The one that is meant when none is named: the last that was logged in to. */
  readonly current: string | undefined;
  readonly profiles: Readonly<Record<string, Profile>>;
}

/** Where the file lies for this environment. */
export function profileFileOf(environment: Readonly<Record<string, string | undefined>>): string {
  const base = environment['XDG_CONFIG_HOME'] || `${environment['HOME'] || '/root'}/.config`;
  return `${base}/muster/profiles.json`;
}

/** @throws SettingsError when the file is there and is no file of profiles. */
export function parseProfiles(text: string, path: string): Profiles {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const found = value as { current?: unknown; profiles?: unknown } | undefined | null;
  const entries = typeof found?.profiles === 'object' && found.profiles !== null ? Object.entries(found.profiles) : undefined;
  const bad = entries?.find(([, one]) => !isProfile(one));
  if (entries === undefined || bad !== undefined) throw new SettingsError(`${path} is damaged. Remove it and log in again.`);
  return {
    current: typeof found?.current === 'string' ? found.current : undefined,
    profiles: Object.fromEntries(entries as [string, Profile][]),
  };
}

function isProfile(value: unknown): value is Profile {
  const one = value as Partial<Profile> | null;
  return typeof one === 'object' && one !== null && typeof one.url === 'string' && typeof one.key === 'string';
}

export async function readProfiles(path: string): Promise<Profiles> {
  try {
    return parseProfiles(await readFile(path, 'utf8'), path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return { current: undefined, profiles: {} };
    throw error;
  }
}

/** Written beside it and renamed, so that it is whole or the old one. */
export async function writeProfiles(path: string, profiles: Profiles): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}.new`;
  await writeFile(draft, `${JSON.stringify(profiles, null, 2)}\n`, { mode: 0o600 });
  await rename(draft, path);
}

/** @throws SettingsError that says what to do. */
export function chooseProfile({ current, profiles }: Profiles, name: string | undefined): Profile {
  const wanted = name ?? current;
  const names = Object.keys(profiles);
  if (wanted === undefined || names.length === 0)
    throw new SettingsError('You are not logged in anywhere. Say where: ./muster login PROFILE URL');
  const found = Object.hasOwn(profiles, wanted) ? profiles[wanted] : undefined;
  if (!found) throw new SettingsError(`There is no profile ${wanted}. There are: ${names.join(', ')}.`);
  return found;
}
