/**
 * What becomes of what cells refer to when somebody retires it. As in MAAS: a pool with machines in it and a user who owns something are not
 * retired (`refuse`); from a zone, tag, space or script the references are taken away (`let_go`), by each cell when it learns of it, so no cell
 * need be asked. Retired documents stay, so no reference stops a revision.
 */
export const retireRules = {
  zone: 'let_go',
  tag: 'let_go',
  space: 'let_go',
  script: 'let_go',
  pool: 'refuse',
  user: 'refuse',
} as const;

type RetireRules = typeof retireRules;

/** Kinds that stay while a cell uses them. */
export type RefusingKind = { [K in keyof RetireRules]: RetireRules[K] extends 'refuse' ? K : never }[keyof RetireRules];
