/**
 * Debian packages for the image builders, from the host's own apt sources, in a private folder: nothing of the host's apt state is read
 * but its sources, or changed.
 */
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { debianSources, parseAptSources, renderAptSources, type AptSource } from './apt-sources.ts';
import { BuildError, runProgram } from './program.ts';

export interface DebianPackage {
  readonly name: string;
  readonly version: string;
}

/** A private view of Debian's package lists. */
export interface Apt {
  /** sources.list(5) of the Debian sources alone, for mmdebstrap. */
  readonly sourcesFile: string;
  /** What installing `names` without recommended packages on an empty system brings, with versions, sorted by name. */
  closure(names: readonly string[]): Promise<DebianPackage[]>;
  /** The real package behind a metapackage: its first dependency that begins with `prefix`. */
  dependency(name: string, prefix: string): Promise<string>;
  /** Download and unpack (files only, no scripts) into `folder`. */
  unpack(packages: readonly DebianPackage[], folder: string): Promise<void>;
}

/** How old package lists may be before they are fetched again: builds in a row use the same. */
const freshFor = 3_600_000;

/**
 * Fetch package lists of the host's Debian `codename` sources into `folder` (about 14 MB, 2 s).
 * @throws {BuildError} when the host has no such sources.
 */
export async function openApt(folder: string, codename: string, signal?: AbortSignal): Promise<Apt> {
  for (const each of ['state/lists/partial', 'cache/archives/partial', 'parts']) await mkdir(join(folder, each), { recursive: true });
  const sourcesFile = join(folder, 'sources.list');
  const configFile = join(folder, 'apt.conf');
  const sources = debianSources(await hostSources(), codename);
  if (sources.length === 0)
    throw new BuildError(`The apt sources of this host have no Debian ${codename} (component main): add them to /etc/apt/sources.list.d.`);
  const text = renderAptSources(sources);
  const same = (await readFile(sourcesFile, 'utf8').catch(() => '')) === text;
  await writeFile(sourcesFile, text);
  await writeFile(join(folder, 'status'), '');
  await writeFile(configFile, renderAptConfig(folder, sourcesFile));
  const run = (program: string, argv: readonly string[], cwd?: string) =>
    runProgram(program, ['-c', configFile, ...argv], { signal, ...(cwd ? { cwd } : {}) });
  const stamp = join(folder, 'updated');
  const age = await stat(stamp).then(
    ({ mtimeMs }) => Date.now() - mtimeMs,
    () => Infinity,
  );
  if (!same || age > freshFor) {
    await run('apt-get', ['-q', '-o', 'APT::Update::Error-Mode=any', 'update']);
    await writeFile(stamp, '');
  }

  return {
    sourcesFile,
    closure: async (names) => parsePrintedUris(await run('apt-get', ['-q', '-y', '--print-uris', 'install', ...names])),
    dependency: async (name, prefix) => {
      const depends = (await run('apt-cache', ['depends', name])).matchAll(/Depends: (\S+)/g);
      const found = [...depends].map((match) => match[1]).find((each) => each?.startsWith(prefix));
      if (!found) throw new BuildError(`Debian's package ${name} names no ${prefix}….`);
      return found;
    },
    unpack: async (packages, into) => {
      const archives = `${into}.debs`;
      await mkdir(archives, { recursive: true });
      await mkdir(into, { recursive: true });
      await run('apt-get', ['-q', 'download', ...packages.map(({ name, version }) => `${name}=${version}`)], archives);
      for (const archive of (await readdir(archives)).sort()) {
        await runProgram('dpkg-deb', ['-x', join(archives, archive), into], { signal });
      }
    },
  };
}

async function hostSources(): Promise<AptSource[]> {
  const all: AptSource[] = [];
  const read = async (path: string, format: 'list' | 'sources') =>
    all.push(...parseAptSources(await readFile(path, 'utf8').catch(() => ''), format));
  await read('/etc/apt/sources.list', 'list');
  const parts = '/etc/apt/sources.list.d';
  for (const name of (await readdir(parts).catch(() => [])).sort()) {
    if (name.endsWith('.list')) await read(join(parts, name), 'list');
    if (name.endsWith('.sources')) await read(join(parts, name), 'sources');
  }
  return all;
}

/** Read after the host's own configuration (which may name a proxy). Its hooks are dropped: some delete the host's downloaded packages. */
function renderAptConfig(folder: string, sourcesFile: string): string {
  const quote = (path: string) => `"${path.replaceAll('"', '')}"`;
  return [
    '#clear APT::Update::Pre-Invoke;',
    '#clear APT::Update::Post-Invoke;',
    '#clear APT::Update::Post-Invoke-Success;',
    '#clear DPkg::Post-Invoke;',
    `Dir::State ${quote(join(folder, 'state'))};`,
    `Dir::State::status ${quote(join(folder, 'status'))};`,
    `Dir::Cache ${quote(join(folder, 'cache'))};`,
    `Dir::Etc::SourceList ${quote(sourcesFile)};`,
    `Dir::Etc::SourceParts ${quote(join(folder, 'parts'))};`,
    'Dir::Etc::Preferences "/dev/null";',
    `Dir::Etc::PreferencesParts ${quote(join(folder, 'parts'))};`,
    'APT::Sandbox::User "";',
    'APT::Install-Recommends "false";',
    'Acquire::Languages "none";',
    'Acquire::Retries "3";',
    '',
  ].join('\n');
}

/** `apt-get --print-uris`: one `'URI' name_version_architecture.deb size hash` a line; versions are %-escaped. */
export function parsePrintedUris(text: string): DebianPackage[] {
  const found: DebianPackage[] = [];
  for (const line of text.split('\n')) {
    const [, name, version] = /^'[^']*' ([^\s_]+)_([^\s_]+)_[^\s_]+\.deb \d+/.exec(line) ?? [];
    if (name && version)
      found.push({ name, version: version.replaceAll(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))) });
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}
