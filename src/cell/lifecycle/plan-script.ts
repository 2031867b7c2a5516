/** Renders a disk plan to the small POSIX sh script that the agent runs (docs/agent-protocol.md, "The plan script"). */
import type { DiskStep } from './disk-plan.ts';

/** A word for sh, in single quotes. */
function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

function words(step: DiskStep): string[] {
  switch (step.step) {
    case 'disk':
      return ['disk', step.alias, step.match, String(step.size)];
    case 'marker':
      return ['marker', step.alias, step.phase, step.systemId, String(step.operation), step.purpose, step.digest];
    case 'gpt':
      return ['gpt', step.alias, ...step.partitions.map((part) => `${part.number}:${part.type}:${part.size}`)];
    case 'filesystem':
      return ['filesystem', step.alias, String(step.partition), step.type, step.label, step.uuid];
    case 'mount_partition':
      return ['mount_partition', step.alias, String(step.partition), step.path];
    case 'unpack':
      return ['unpack', step.url, step.sha256, step.format, step.path];
    case 'write_file':
      return ['write_file', step.path, step.mode, base64(step.content)];
    case 'grub':
      return ['grub', step.alias, String(step.partition), base64(step.config)];
    case 'boot_order':
      return ['boot_order', step.order];
    case 'unmount':
      return ['unmount', step.path];
    case 'erase':
      return ['erase', step.alias, step.how];
  }
}

/** The script: one function call a line, every argument quoted; nothing of a user's text is ever code. */
export function renderPlan(steps: readonly DiskStep[]): string {
  const lines = steps.map((step) => {
    const [name, ...rest] = words(step);
    return [name, ...rest.map(quote)].join(' ');
  });
  return ['. /muster/steps.sh', ...lines, ''].join('\n');
}
