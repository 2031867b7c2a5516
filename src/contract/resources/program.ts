/** What a program says of itself: to load balancers, to Prometheus, and to clients that must know what they talk to. */
import { Type } from 'typebox';
import { get, resource } from '../route.ts';

/** What clients look for before they do anything; the words are MAAS's. */
export const capabilities = [
  'networks-management',
  'static-ipaddresses',
  'ipv6-deployment-ubuntu',
  'devices-management',
  'storage-deployment-ubuntu',
  'network-deployment-ubuntu',
  'bridging-interface-ubuntu',
  'bridging-automatic-ubuntu',
  'authenticate-api',
] as const;

export const Version = Type.Object({
  capabilities: Type.Array(Type.String()),
  /** The version of MAAS whose API this speaks: clients compare it. */
  version: Type.String(),
  subversion: Type.String(),
  /** Ours: the program, its own version, and where it stands. */
  muster: Type.Optional(Type.Object({ version: Type.String(), program: Type.String(), name: Type.String(), revision: Type.String() })),
});

export const program = {
  ...resource('Version', 'version/', 'What this is and what it can do.', {
    read: get({ doc: 'Read the version and the capabilities.', reply: Version, policy: 'anonymous', reach: 'any' }),
  }),
  ...resource('Describe', 'describe/', 'The API, described for clients that build themselves from it.', {
    read: get({ doc: 'Describe every resource and every action.', reply: Type.Unknown(), policy: 'anonymous', reach: 'any' }),
  }),
  ...resource('OpenApi', 'openapi.json', 'The API as OpenAPI 3.1.', {
    read: get({ doc: 'Describe the API as OpenAPI.', reply: Type.Unknown(), policy: 'anonymous', reach: 'any' }),
  }),
  ...resource(
    'Health',
    'healthz',
    'Is the process alive?',
    { read: get({ doc: 'Answer ok while the process runs.', reply: Type.String(), type: 'text', policy: 'anonymous', reach: 'own' }) },
    'program',
  ),
  ...resource(
    'Readiness',
    'readyz',
    'Should traffic be sent here?',
    {
      read: get({
        doc: 'Answer ok while requests can be served; 503 while starting, draining or without a database.',
        reply: Type.String(),
        type: 'text',
        errors: ['starting', 'database_away'],
        policy: 'anonymous',
        reach: 'own',
      }),
    },
    'program',
  ),
  ...resource(
    'Metrics',
    'metrics',
    'Measurements for Prometheus.',
    { read: get({ doc: 'Read all measurements.', reply: Type.String(), type: 'text', policy: 'anonymous', reach: 'own' }) },
    'program',
  ),
};
