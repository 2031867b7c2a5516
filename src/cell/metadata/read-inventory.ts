import type { FoundMachine } from '../db/inventory-store.ts';

/** Door: read what the inventory script printed. Lifecycle's parser behind it; bytes from a machine, never trusted. */
export type ReadInventory = (stdout: Buffer) => { readonly found: FoundMachine } | { readonly problem: string };
