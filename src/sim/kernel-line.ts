/** The kernel command line as the agent reads it: `muster_url` has one address of the cell, or several with commas between them. */
import type { AgentCommandLine } from '../contract/metadata.ts';

const purposes = ['enlist', 'commission', 'test', 'deploy', 'erase', 'rescue'] as const;

/** @throws Error that says which word is missing or wrong. */
export function readKernelLine(line: string): AgentCommandLine {
  const words = new Map(
    line
      .split(/\s+/)
      .flatMap((word) => (word.includes('=') ? [[word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)] as const] : [])),
  );
  const url = words.get('muster_url') ?? '';
  if (!/^http:\/\/[^/,]+(?:,http:\/\/[^/,]+)*$/.test(url))
    throw new Error(`muster_url=${JSON.stringify(url)} on the kernel command line is no address of a cell`);
  const purpose = purposes.find((one) => one === words.get('muster_purpose'));
  if (purpose === undefined)
    throw new Error(`muster_purpose=${JSON.stringify(words.get('muster_purpose') ?? '')} is none that an agent knows`);
  const nonce = words.get('muster_nonce');
  if (purpose !== 'enlist' && !/^[0-9a-f]{32}$/.test(nonce ?? ''))
    throw new Error(`no nonce on the kernel command line of a boot to ${purpose}`);
  return { muster_url: url, muster_purpose: purpose, ...(nonce === undefined ? {} : { muster_nonce: nonce }) };
}
