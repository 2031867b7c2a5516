/** What a run with a fleet writes down while parts of it die, and what it finds at the end. Only data: `invariants.ts` judges it. */

/** One request and its answer. Times are milliseconds since 1970. */
export interface Asked {
  readonly at: number;
  readonly until: number;
  /** Who asked: a tenant, or a prober. */
  readonly who: string;
  readonly what: string;
  /** The program that was asked. */
  readonly via: string;
  /** Parts (`c1`) and links (`f1>c1`, one way) without which it may be refused. */
  readonly needs: readonly string[];
  /** 0: no answer. */
  readonly status: number;
  /** `Muster-Error`, or why there was no answer. */
  readonly code: string;
  /** Seconds. */
  readonly retryAfter: number | undefined;
}

/** A list that came whole, with status 200. */
export interface Listed {
  readonly at: number;
  readonly until: number;
  readonly via: string;
  readonly ids: readonly string[];
  /** Cells that `Muster-Cells` calls absent. */
  readonly absent: readonly string[];
}

/** A look-up by name that was answered with 200. */
export interface LookedUp {
  readonly at: number;
  readonly via: string;
  readonly systemId: string;
  readonly found: boolean;
}

/** What its owner saw of a machine. */
export interface Seen {
  readonly at: number;
  readonly until: number;
  readonly owner: string;
  readonly status: string;
}

/** One allocation from its first request on. Its id is the agent_name that it asks with. */
export interface Allocation {
  readonly id: string;
  readonly tenant: string;
  readonly keyed: boolean;
  readonly begun: number;
  /** `unknown`: no answer told whether a machine was taken. */
  outcome: 'open' | 'acknowledged' | 'nothing' | 'unknown';
  systemId: string;
  cell: string;
  /** Times; 0: not yet. */
  acknowledged: number;
  deployAsked: number;
  deployAcknowledged: number;
  deployed: number;
  releaseAsked: number;
  releaseAcknowledged: number;
  readonly seen: Seen[];
}

/** A part or link that was away, from the blow until it was healed. */
export interface Outage {
  readonly name: string;
  readonly from: number;
  to: number;
}

/** A machine in its cell's own words, at the end. */
export interface FinalMachine {
  readonly systemId: string;
  readonly cell: string;
  readonly owner: string;
  readonly agentName: string;
  readonly status: string;
  /** Seconds until an unconfirmed claim frees itself; null: no claim. */
  readonly claimLeft: number | null;
  /** What happened to it from outside: power orders, boots that claimed, writes to a disk that are not the running system's own. */
  readonly touches: readonly { readonly at: number; readonly what: string }[];
}

/** A global write that was answered with success, and whether it is there at the end. */
export interface Written {
  readonly name: string;
  readonly at: number;
  kept: boolean;
}

export interface History {
  /** Every machine: id → cell. */
  readonly machines: ReadonlyMap<string, string>;
  readonly asked: Asked[];
  readonly listed: Listed[];
  readonly lookedUp: LookedUp[];
  readonly allocations: Allocation[];
  readonly outages: Outage[];
  readonly written: Written[];
  /** Filled in at the end. */
  readonly final: FinalMachine[];
}

export function newHistory(machines: ReadonlyMap<string, string>): History {
  return { machines, asked: [], listed: [], lookedUp: [], allocations: [], outages: [], written: [], final: [] };
}
