/** What a hub is told from outside. `main.ts` fills it from the TOML file, `MUSTER_*` and flags. */
import { Type, type Static } from 'typebox';

const port = Type.Integer({ minimum: 0, maximum: 65_535 });

export const HubConfig = Type.Object({
  folder: Type.String({
    description: "The data folder: the hub's key, epoch file, embedded PostgreSQL. Two processes of one hub share the key.",
  }),
  database_url: Type.Optional(Type.String({ description: 'An external PostgreSQL, 15 or newer; left out: an embedded one.' })),
  address: Type.String({ default: '127.0.0.1', description: 'Where cells and fronts reach the hub, over TLS pinned to its key.' }),
  port: Type.Integer({ ...port, default: 5242 }),
  listen: Type.Optional(Type.Array(Type.String(), { description: 'Further addresses for cells and fronts, on the same port.' })),
  images: Type.Optional(
    Type.String({
      description:
        'The image folder, where uploads go; what is built there goes into the catalogue by itself. Left out: images/ in the data folder. Processes of one hub share it.',
    }),
  ),
  /** Browsers and MAAS clients do not speak to a pinned Ed25519 key: this is the plain listener for them, behind a proxy or on loopback. */
  plain_address: Type.String({ default: '127.0.0.1' }),
  plain_port: Type.Optional(Type.Integer({ ...port, description: 'Left out: no plain listener.' })),
  launchpad_url: Type.Optional(
    Type.String({ description: 'Where SSH keys of lp:USER are imported from; left out, https://launchpad.net.' }),
  ),
  github_url: Type.Optional(Type.String({ description: 'Where SSH keys of gh:USER are imported from; left out, https://github.com.' })),
  allow_plain: Type.Boolean({ default: false, description: 'Let the plain listener be on an address that is not loopback.' }),
});

export type HubConfig = Static<typeof HubConfig>;

/** Why this configuration must not run; undefined when it may. */
export function configProblem({ plain_port, plain_address, allow_plain }: HubConfig): string | undefined {
  const loopback = /^(127\.|::1$|localhost$)/.test(plain_address);
  if (plain_port === undefined || loopback || allow_plain) return undefined;
  return `The hub would take passwords without TLS at ${plain_address}. Keep plain_address on loopback behind a TLS proxy, or set allow_plain = true.`;
}
