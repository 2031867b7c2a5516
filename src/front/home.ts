/** Where a front knows its cells and callers from: a hub that it has joined (`joined-home.ts`), or a list in its config (`fixed-home.ts`). */
import type { Failure } from '../contract/errors.ts';
import type { LooseHandler } from '../http/dispatch.ts';
import type { Authenticate } from '../http/handler.ts';
import type { CellRegistry } from './cell-registry.ts';
import type { Vouch } from './front-context.ts';
import type { PlaceDoor } from './reach-place.ts';
import type { HubDoor } from './reach-hub.ts';

export interface Home extends AsyncDisposable {
  readonly name: string;
  readonly registry: CellRegistry;
  readonly authenticate: Authenticate;
  readonly vouch: Vouch;
  /** Reads of global rows that the front answers from its own memory. */
  readonly reads: ReadonlyMap<string, LooseHandler>;
  /** undefined: there is no hub, and global rows are the only cell's. */
  readonly hub: HubDoor | undefined;
  readonly places: PlaceDoor;
  /** `access=3.12 config=3.40`; empty without a hub. */
  revision(): string;
  /** Seconds since the hub was heard of. */
  lag(): number | undefined;
  unready(): Failure | undefined;
}
