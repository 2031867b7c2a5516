/** What operators add to the kernel command line of a machine: the setting `kernel_opts`, then that of each of its tags, by their names. */
import { settingOf } from '../global/api/settings.ts';
import type { GlobalReader } from '../global/document.ts';
import { encodeParameters, parseParameters, type KernelParameter } from './netboot/kernel-parameters.ts';

/** Characters; the command line has 2047, and the cell's own parameters come first. */
const longest = 1024;

/**
 * Pure. What a boot script cannot carry (the contract refuses it; a document of another release may have it) is left out, and so is a tag
 * whose options would make the line too long: a machine that boots without an option is better than one that does not boot.
 */
export function operatorParameters(global: Pick<GlobalReader, 'get'>, tagIds: readonly number[]): readonly KernelParameter[] {
  const tags = tagIds.flatMap((id) => global.get('tag', id) ?? []).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const taken: KernelParameter[] = [];
  for (const options of [String(settingOf(global, 'kernel_opts') ?? ''), ...tags.map((tag) => tag.kernel_opts)]) {
    const parameters = parsed(options);
    if (encodeParameters([...taken, ...parameters]).length <= longest) taken.push(...parameters);
  }
  return taken;
}

function parsed(options: string): readonly KernelParameter[] {
  try {
    return parseParameters(options);
  } catch (error) {
    if (error instanceof RangeError) return [];
    throw error;
  }
}

/** The same as words of a command line. */
export function kernelOptions(global: Pick<GlobalReader, 'get'>, tagIds: readonly number[]): string {
  return encodeParameters(operatorParameters(global, tagIds));
}
