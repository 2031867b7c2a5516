/** The home of a front that has joined a hub: a replica in memory, a key that signs assertions, and a pinned line to the hub. */
import type { Logger } from 'pino';
import { fail } from '../contract/errors.ts';
import { openFrontGlobal } from '../global/front-global.ts';
import type { TrustedKey } from '../global/hub-trust.ts';
import { keyFileIn, readMembership, rememberHubKey } from '../global/membership.ts';
import { beginning, compareRevisions, formatRevisions, streams } from '../global/revision.ts';
import { loadSigningKey } from '../global/signing-key.ts';
import type { LooseHandler } from '../http/dispatch.ts';
import { replicaRegistry } from './cell-registry.ts';
import type { FrontConfig } from './config.ts';
import type { Home } from './home.ts';
import { openHubLine } from './hub-line.ts';
import { replicaPlaces } from './reach-place.ts';
import { assertingVouch } from './vouch.ts';

/** How long a front waits for its replica before it listens all the same, and says `starting`. */
const catchUpMs = 5_000;
/** Seconds without a word from the hub after which there may be cells that this front has not heard of: a poll that brings nothing takes 20. */
const behindSeconds = 45;

/** @throws Error when the folder has not joined as a front, or its files are damaged. */
export async function openJoinedHome(config: FrontConfig, version: string, log: Logger): Promise<Home> {
  await using stack = new AsyncDisposableStack();
  const membership = await readMembership(config.folder);
  if (membership?.role !== 'front')
    throw new Error(`${config.folder} has not joined a hub as a front: muster front join URL TOKEN FINGERPRINT`);
  const key = await loadSigningKey(keyFileIn(config.folder));
  const findings = {
    report: (finding: { readonly kind: string; readonly subject: string; readonly data: object }) =>
      log.warn({ finding }, 'something to look at'),
  };
  const onTrouble = (error: unknown) => log.warn({ err: error }, 'the hub could not be followed');
  const remember = (trusted: TrustedKey) => rememberHubKey(config.folder, trusted);
  const global = stack.use(openFrontGlobal({ membership, remember, key, version, findings, onTrouble }));
  const urls = membership.hub.split(',').map((url) => url.trim());
  const line = stack.use(openHubLine(urls, global.trust.pin, config.hub_ms, onTrouble));
  const { reader } = global;

  const vouch = assertingVouch(reader, key, membership.name, () => global.replication.now());
  const isCold = () => streams.some((stream) => compareRevisions(reader.revision(stream), beginning) === 0);
  const unready = () => {
    if (global.replication.retired() || reader.isRetired('front', membership.number))
      return fail('retired', { what: `Front ${membership.name}` });
    return isCold() ? fail('starting', { program: 'front' }) : undefined;
  };
  await global.replication.caughtUp(catchUpMs).catch(onTrouble);
  const owned = stack.move();
  return {
    name: membership.name,
    registry: replicaRegistry(reader, () => global.replication.lag() > behindSeconds),
    // Before it knows the users, a good key would look like a wrong one.
    authenticate: (request, oauth) => {
      const failure = unready();
      if (failure) throw failure;
      return global.authenticate(request, oauth);
    },
    vouch,
    reads: new Map(Object.entries(global.handlers as unknown as Record<string, LooseHandler>)),
    hub: { line, reader },
    places: replicaPlaces(reader),
    revision: () => formatRevisions(reader),
    lag: () => global.replication.lag(),
    unready,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
