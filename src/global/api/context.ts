/** What the handlers of global resources work with, and how they write. The same code serves hub, standalone cell, joined cell and front. */
import { fail } from '../../contract/errors.ts';
import type { Subnet } from '../../contract/resources/subnets.ts';
import type { Vlan } from '../../contract/resources/vlans.ts';
import type { Body } from '../../contract/route.ts';
import type { CallReply } from '../../http/handler.ts';
import type { GlobalWriter, Written } from '../authority.ts';
import type { GlobalReader } from '../document.ts';
import type { Draft } from '../draft.ts';
import type { UploadStore } from '../image-uploads.ts';
import type { OutsideDoor } from '../outside.ts';
import type { RefusingKind } from '../retire-rules.ts';
import type { Stream } from '../revision.ts';

/** Is something global still used by machines or networks? The cell answers for its own; a hub alone cannot know and has none. */
export interface UsageDoor {
  /** Who uses it, in words (`3 machines`); undefined when nobody does. `id` is the global integer id. */
  inUse(kind: RefusingKind, id: number): Promise<string | undefined>;
  /** Give what one user has to another, by their names. Repeating it is harmless. */
  transfer(given: { readonly from: string; readonly to: string; readonly by: string }): Promise<void>;
}

/** What is in a space; a space's networks are the cell's. */
export interface SpaceDoor {
  /** The VLANs and subnets of this space; `null`: those in none. */
  networksOf(space: number | null): Promise<{ readonly vlans: Body<typeof Vlan>[]; readonly subnets: Body<typeof Subnet>[] }>;
}

export interface GlobalReads {
  readonly reader: GlobalReader;
  /** Left out where no networks live (hub). */
  readonly spaces?: SpaceDoor;
}

export interface GlobalAuthority {
  readonly writer: GlobalWriter;
  /** Where uploaded images are kept; left out where there is no image folder. */
  readonly uploads?: UploadStore;
  readonly usage?: UsageDoor;
  /** What is asked of programs that are none of this fleet; left out: the public ones are asked. */
  readonly outside?: OutsideDoor;
  /**
   * Waits until every connected replica has applied a write, at most 2 s; gives the names of those that have not.
   * Left out where there are no replicas (standalone cell).
   */
  readonly settled?: (written: Written<unknown>) => Promise<readonly string[]>;
}

/** Where writes go: to this program, or refused with the hub's address. */
export type WritesTo = GlobalAuthority | { readonly hub: string };

/** The authority, or a refusal that names the hub. @throws Failure `hub_owned`. */
export function authorityOf(to: WritesTo): GlobalAuthority {
  if ('writer' in to) return to;
  throw fail('hub_owned', { hub: to.hub });
}

/** What a write needs of a call. */
interface WritingCall {
  readonly caller: { readonly kind: string; readonly username?: string };
  readonly reply: CallReply;
}

/**
 * Write, wait for the replicas, and say in a header of the reply who has not applied it yet (`Muster-Lagging`). Where config is then, every
 * reply says (`Muster-Config-Revision`).
 */
export async function commit<T>(to: WritesTo, call: WritingCall, stream: Stream, decide: (draft: Draft) => Promise<T> | T): Promise<T> {
  const authority = authorityOf(to);
  const written = await authority.writer.write(stream, call.caller.username ?? call.caller.kind, decide);
  const lagging = (await authority.settled?.(written)) ?? [];
  if (lagging.length > 0) call.reply.header('Muster-Lagging', lagging.join(','));
  return written.value;
}

/** @throws Failure `in_use` when the door says so. */
export async function refuseInUse(to: WritesTo, kind: RefusingKind, id: number, what: string): Promise<void> {
  const by = await authorityOf(to).usage?.inUse(kind, id);
  if (by !== undefined) throw fail('in_use', { what, by });
}

/** `/MAAS/api/2.0/<path>`, each part encoded. */
export function uri(...parts: (string | number)[]): string {
  return `/MAAS/api/2.0/${parts.map((part) => encodeURIComponent(part)).join('/')}/`;
}

/** An id of a path; NaN when it is none, which nothing has. */
export function idOfPath(text: string): number {
  return /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
}
