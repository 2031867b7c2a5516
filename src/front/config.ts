/** What a front is told from outside: one schema with defaults. `main.ts` fills it from the TOML file, `MUSTER_*` and flags. */
import { Type, type Static } from 'typebox';

const name = Type.String({ pattern: '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$' });

/** A cell of a front without a hub. */
const FixedCell = Type.Object({
  name,
  number: Type.Integer({ minimum: 1, maximum: 13_823 }),
  url: Type.String({ pattern: '^https?://' }),
});

export const FrontConfig = Type.Object({
  folder: Type.String({ description: 'The data folder: the key and membership that `muster front join` wrote.' }),
  listen: Type.Array(Type.String(), { default: ['127.0.0.1'], description: 'Addresses to listen on.' }),
  port: Type.Integer({ default: 5240, minimum: 0, maximum: 65_535 }),
  cells: Type.Array(FixedCell, {
    default: [],
    description: 'Without a hub: the cells, and each judges the callers itself. Left empty by a front that has joined.',
  }),
  cells_ca: Type.Optional(
    Type.String({ description: 'A PEM file with the authorities that vouch for the HTTPS of cells; left out: those that Node knows.' }),
  ),
  gather_ms: Type.Integer({ default: 2000, minimum: 50, description: "How long a gather waits for every cell's first byte." }),
  call_ms: Type.Integer({ default: 30_000, minimum: 100, description: 'How long a call to one cell waits for its status line.' }),
  hub_ms: Type.Integer({ default: 10_000, minimum: 100, description: 'How long a call to the hub waits.' }),
  allocate: Type.Union([Type.Literal('best'), Type.Literal('first')], {
    default: 'best',
    description: 'best: wait for the offers of all cells and take the cheapest; first: take the first offer that comes.',
  }),
  ask_sample: Type.Integer({
    default: 8,
    minimum: 0,
    description: 'How many cells an allocation asks at first, at random; when none fits, as many again, until all were asked. 0 asks all.',
  }),
  retries: Type.Number({ default: 0.1, minimum: 0, maximum: 1, description: 'Retries that may be made, as a share of all calls.' }),
  connections: Type.Integer({ default: 64, minimum: 1, description: 'Connections kept to each cell.' }),
});
export type FrontConfig = Static<typeof FrontConfig>;
