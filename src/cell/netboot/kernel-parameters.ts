/**
 * The kernel command line, by allow-list: nothing outside a safe alphabet ever reaches a boot script. iPXE would expand `${…}`, GRUB
 * `$…`, and a space or a newline would begin another parameter or another command.
 */

export type KernelParameter = readonly [name: string, value?: string | undefined];

const nameAlphabet = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;
const valueAlphabet = /^[A-Za-z0-9_.,:/@%+=~-]{0,512}$/;
/** x86 COMMAND_LINE_SIZE is 2048 with its final zero. */
const longestLine = 2047;

/** Why these parameters cannot be written; undefined when they can. */
export function refuseParameters(parameters: readonly KernelParameter[]): string | undefined {
  for (const [name, value] of parameters) {
    if (!nameAlphabet.test(name)) return `kernel parameter name ${JSON.stringify(name)} has characters outside A-Z a-z 0-9 _ . -`;
    if (value !== undefined && !valueAlphabet.test(value)) {
      return `kernel parameter ${name} has a value with characters outside A-Z a-z 0-9 _ . , : / @ % + = ~ -`;
    }
  }
  const length = parameters.reduce((sum, [name, value]) => sum + name.length + (value === undefined ? 1 : value.length + 2), 0);
  return length > longestLine ? `the kernel command line would have ${length} characters; the limit is ${longestLine}` : undefined;
}

/** `a=b c d=e`. @throws RangeError that says which parameter is refused and why. */
export function encodeParameters(parameters: readonly KernelParameter[]): string {
  const refused = refuseParameters(parameters);
  if (refused) throw new RangeError(refused);
  return parameters.map(([name, value]) => (value === undefined ? name : `${name}=${value}`)).join(' ');
}

/**
 * Operator's kernel options (MAAS's `kernel_opts`) as parameters, split at white space.
 * @throws RangeError for anything the allow-list refuses.
 */
export function parseParameters(line: string): readonly KernelParameter[] {
  const parameters = line
    .split(/\s+/)
    .filter(Boolean)
    .map((word): KernelParameter => {
      const at = word.indexOf('=');
      return at < 0 ? [word] : [word.slice(0, at), word.slice(at + 1)];
    });
  const refused = refuseParameters(parameters);
  if (refused) throw new RangeError(refused);
  return parameters;
}
