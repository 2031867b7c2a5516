/** Words as clients send lists of them: repeated keys, and within one value separated by commas or spaces. */

export function wordList(values: readonly string[]): string[] {
  return values.flatMap((value) => value.split(/[\s,]+/)).filter((word) => word !== '');
}
