/**
 * Every handler of global resources, in two halves: reads, which any program answers from memory, and writes, which the authority carries
 * out and everybody else refuses with the hub's address (a front forwards them instead and takes only the reads).
 */
import { accountReads, accountWrites } from './api/account.ts';
import { bootResourceUploads } from './api/boot-resource-uploads.ts';
import { bootImports } from './api/boot-imports.ts';
import { bootResourceReads } from './api/boot-resources.ts';
import { bootSourceReads, bootSourceWrites } from './api/boot-sources.ts';
import { commissioningScriptReads, commissioningScriptWrites } from './api/commissioning-scripts.ts';
import type { GlobalReads, WritesTo } from './api/context.ts';
import { domainNameReads, domainNameWrites } from './api/domain-names.ts';
import { fileReads, fileWrites } from './api/files.ts';
import { licenseKeyReads, licenseKeyWrites } from './api/license-keys.ts';
import { notificationReads, notificationWrites } from './api/notifications.ts';
import { oidcProviderReads, oidcProviderWrites } from './api/oidc-providers.ts';
import { sslKeyReads, sslKeyWrites } from './api/ssl-keys.ts';
import { packageRepositoryReads, packageRepositoryWrites } from './api/package-repositories.ts';
import { poolReads, poolWrites } from './api/resource-pools.ts';
import { scriptReads } from './api/scripts.ts';
import { scriptWrites } from './api/script-writes.ts';
import { settingReads, settingWrites } from './api/settings.ts';
import { signIn, type SignInOptions } from './api/sign-in.ts';
import { spaceReads, spaceWrites } from './api/spaces.ts';
import { sshKeyImport } from './api/ssh-key-import.ts';
import { sshKeyReads, sshKeyWrites } from './api/ssh-keys.ts';
import { tagReads, tagWrites } from './api/tags.ts';
import { userReads, userWrites } from './api/users.ts';
import { zoneReads, zoneWrites } from './api/zones.ts';

/** Reads of everything that is global. */
export function createGlobalReads(reads: GlobalReads) {
  return {
    ...userReads(reads),
    ...accountReads(reads),
    ...sshKeyReads(reads),
    ...sslKeyReads(reads),
    ...fileReads(reads),
    ...notificationReads(reads),
    ...licenseKeyReads(reads),
    ...oidcProviderReads(reads),
    ...zoneReads(reads),
    ...poolReads(reads),
    ...tagReads(reads),
    ...spaceReads(reads),
    ...settingReads(reads),
    ...scriptReads(reads),
    ...commissioningScriptReads(reads),
    ...bootResourceReads(reads),
    ...bootSourceReads(reads),
    ...packageRepositoryReads(reads),
    ...domainNameReads(reads),
  };
}

/**
 * Writes of the same. `to`: `{ writer, usage?, settled? }` in the authority, `{ hub: url }` elsewhere. `signInOptions`: where verifiers are
 * and what signs sessions; left out elsewhere.
 */
export function createGlobalWrites(to: WritesTo, reads: GlobalReads, signInOptions?: SignInOptions) {
  return {
    ...userWrites(to, reads),
    ...accountWrites(to),
    ...sshKeyWrites(to),
    ...sshKeyImport(to),
    ...sslKeyWrites(to),
    ...fileWrites(to),
    ...notificationWrites(to, reads),
    ...licenseKeyWrites(to),
    ...oidcProviderWrites(to, reads),
    ...zoneWrites(to, reads),
    ...poolWrites(to, reads),
    ...tagWrites(to),
    ...spaceWrites(to, reads),
    ...settingWrites(to),
    ...scriptWrites(to),
    ...commissioningScriptWrites(to, reads),
    ...bootResourceUploads(to, reads),
    ...bootImports(to),
    ...bootSourceWrites(to),
    ...packageRepositoryWrites(to),
    ...domainNameWrites(to),
    ...signIn(to, reads, signInOptions),
  };
}

/** Both halves: what a hub or a cell registers. */
export function createGlobalHandlers(to: WritesTo, reads: GlobalReads, signInOptions?: SignInOptions) {
  return { ...createGlobalReads(reads), ...createGlobalWrites(to, reads, signInOptions) };
}

/** The ids of these routes. */
export type GlobalRouteId = keyof ReturnType<typeof createGlobalHandlers>;
/** The half that a front answers itself. */
export type GlobalReadId = keyof ReturnType<typeof createGlobalReads>;
