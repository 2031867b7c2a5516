/**
 * The scripts that every cell brings along. They are no documents: they change with the program, everybody lists them, nobody can change
 * them. The rest is global config.
 */

/** Its stdout is the inventory that commissioning is about (cell/lifecycle/inventory.ts). */
export const inventoryScript = '50-muster-inventory';

/** Its stdout is what lshw says of the machine, as XML: what tags with a definition are judged by. Behind the inventory, by its name. */
export const lshwScript = '60-muster-lshw';

export const builtInScripts = {
  [inventoryScript]: {
    // Ids of documents begin at 2.
    id: 0,
    type: 'commissioning',
    title: 'Inventory',
    description: 'Finds out what the machine is made of. Commissioning always runs it.',
    content: '#!/bin/sh\nexec /muster/inventory\n',
    timeoutSeconds: 120,
  },
  [lshwScript]: {
    // The last number below those of cells.
    id: 99_999_999_999,
    type: 'commissioning',
    title: 'Hardware in detail',
    description: 'Lists the hardware as lshw knows it. Tags with a definition are judged by it.',
    // An agent of an older release has no lshw: it prints nothing, and the machine is none the worse for it.
    content: '#!/bin/sh\ncommand -v lshw >/dev/null || exit 0\nexec lshw -xml -quiet\n',
    timeoutSeconds: 300,
  },
  '10-muster-disk-read': {
    id: 1,
    type: 'testing',
    title: 'Read from every disk',
    description: 'Reads the first 64 MiB of every disk; an input error fails it.',
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

export const commissioningScripts = [inventoryScript, lshwScript] as const;
export const testingScripts = ['10-muster-disk-read'] as const;
