/** The migrations of global config; hub and cell apply them before their own. */
import type { MigrationSet } from '../postgres/migrations.ts';

export const globalMigrations: MigrationSet = { folder: new URL('./db/migrations/', import.meta.url), table: 'global_migration' };
