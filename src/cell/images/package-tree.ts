/**
 * A folder of unpacked Debian packages, of which programs are taken with the libraries they load. The packages' own dynamic linker says
 * which those are, and runs the packages' programs, so nothing of the host's is mixed in.
 */
import { readFile, realpath, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { CpioEntry } from './cpio.ts';
import { BuildError, runProgram } from './program.ts';

const linkers = { amd64: { path: 'lib64/ld-linux-x86-64.so.2', triplet: 'x86_64-linux-gnu' } } as const;

export type TreeArchitecture = keyof typeof linkers;

export interface PackageTree {
  readonly folder: string;
  /** Run one of the tree's programs on the host, under the name `as` (kmod is depmod by its name). */
  run(program: string, argv: readonly string[], as?: string): Promise<string>;
  /** The programs, the libraries they need and the dynamic linker, as they lie in an initramfs. */
  take(programs: readonly string[]): Promise<CpioEntry[]>;
}

export function openPackageTree(folder: string, architecture: TreeArchitecture, signal?: AbortSignal): PackageTree {
  const linker = linkers[architecture];
  const loader = () => firstOf(folder, ['lib64', 'usr/lib64', `lib/${linker.triplet}`, `usr/lib/${linker.triplet}`], basename(linker.path));
  const libraries = ['lib', 'usr/lib'].map((each) => join(folder, each, linker.triplet)).join(':');
  const programAt = (program: string) => firstOf(folder, ['bin', 'sbin', 'usr/bin', 'usr/sbin'], program);

  async function take(programs: readonly string[]): Promise<CpioEntry[]> {
    const entries = new Map<string, CpioEntry>();
    const add = async (path: string, from: string, mode: number) => {
      if (!entries.has(path)) entries.set(path, { path, mode, content: { kind: 'file', bytes: await readFile(from) } });
    };
    await add(linker.path, await loader(), 0o755);
    for (const program of programs) {
      const from = await programAt(program);
      await add(from.includes('/sbin/') ? `usr/sbin/${program}` : `usr/bin/${program}`, from, 0o755);
      const listed = await runProgram(await loader(), ['--library-path', libraries, '--list', from], { signal });
      for (const [name, path] of parseLoaded(listed)) {
        if (!path.startsWith(folder)) throw new BuildError(`${program} needs ${name}, which none of the packages has.`);
        await add(`lib/${name}`, await realpath(path), 0o644);
      }
    }
    return [...entries.values()];
  }

  return {
    folder,
    run: async (program, argv, as = program) =>
      runProgram(await loader(), ['--argv0', as, '--library-path', libraries, await programAt(program), ...argv], { signal }),
    take,
  };
}

/** `ld.so --list`: lines `name => path (address)`; the linker itself and the vdso have no arrow. */
export function parseLoaded(text: string): [name: string, path: string][] {
  return text.split('\n').flatMap((line): [string, string][] => {
    const [, name, path] = /^\s*(\S+) => (.+) \(0x[0-9a-f]+\)$/.exec(line) ?? [];
    return name && path && !name.includes('/') ? [[name, path]] : [];
  });
}

async function firstOf(folder: string, places: readonly string[], name: string): Promise<string> {
  for (const place of places) {
    const path = join(folder, place, name);
    if (
      await stat(path).then(
        (found) => found.isFile(),
        () => false,
      )
    )
      return path;
  }
  throw new BuildError(`None of the downloaded packages has ${name}.`);
}
