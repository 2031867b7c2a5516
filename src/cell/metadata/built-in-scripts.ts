/** The scripts that every cell brings along. The rest is global config. */

/** Its stdout is the inventory that commissioning is about (lifecycle/inventory.ts). */
export const inventoryScript = '50-muster-inventory';

export const builtInScripts = {
  [inventoryScript]: { content: '#!/bin/sh\nexec /muster/inventory\n', timeoutSeconds: 120 },
  '10-muster-disk-read': {
    // Reads, never writes: 64 MiB from the start of every disk; an I/O error fails the script.
    content: [
      '#!/bin/sh',
      'status=0',
      'for disk in /sys/block/*; do',
      '  name=${disk##*/}',
      '  case $name in loop*|ram*|sr*|fd*|zram*) continue ;; esac',
      '  echo "reading /dev/$name"',
      '  dd if=/dev/$name of=/dev/null bs=1M count=64 || status=1',
      'done',
      'exit $status',
      '',
    ].join('\n'),
    timeoutSeconds: 900,
  },
} as const;

export const commissioningScripts = [inventoryScript] as const;
export const testingScripts = ['10-muster-disk-read'] as const;
