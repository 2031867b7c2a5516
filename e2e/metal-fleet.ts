/** Hub, front and one joined cell in a rack's namespace, for runs with real firmware: everything a person would have set up. */
import { execFile } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { putBootResource } from '../src/global/boot-catalogue.ts';
import { readBuiltCatalogue } from '../src/global/built-catalogue.ts';
import { join as joinHub } from '../src/global/join.ts';
import { startFront, type Front } from '../src/front/front.ts';
import { createClient } from '../src/http/client.ts';
import { createHub, type Hub } from '../src/hub/hub.ts';
import { startProgram, type ChildProgram } from './child-program.ts';
import type { Rack } from './rack.ts';

export interface MetalFleet extends AsyncDisposable {
  readonly hub: Hub;
  readonly front: Front;
  readonly cell: ChildProgram;
  /** Signed as the admin, through the front. */
  readonly client: ReturnType<typeof createClient>;
  /** The private key that the admin's SSH key belongs to. */
  readonly sshKey: string;
}

/** Start them. `images` is the folder with the built agent and Debian. */
export async function startMetalFleet(rack: Rack, folder: string, images: string): Promise<MetalFleet> {
  const log = pino({ level: 'warn' }, pino.destination({ dest: join(folder, 'hub-and-front.log'), sync: true }));
  await using stack = new AsyncDisposableStack();
  const hub = stack.use(
    await createHub({
      version: 'e2e',
      log,
      config: { folder: join(folder, 'hub'), address: rack.plan.hostAddress, port: 0, plain_address: '127.0.0.1', allow_plain: false },
    }),
  );
  const admin = await hub.init('admin');
  if (!admin) throw new Error('the hub has an admin already');
  for (const entry of await readBuiltCatalogue(images)) await putBootResource(hub.authority, 'e2e', entry);

  const frontInvitation = await hub.invite('front', 'f1');
  await joinHub({ url: hub.url, token: frontInvitation.token, fingerprint: hub.fingerprint, role: 'front', folder: join(folder, 'f1') });
  const invitation = await hub.invite('cell', 'c1');
  const cellUrl = `http://${rack.plan.cellAddress}:5240`;
  await joinHub({
    url: hub.url,
    token: invitation.token,
    fingerprint: hub.fingerprint,
    role: 'cell',
    folder: join(folder, 'c1'),
    ownUrl: cellUrl,
  });
  const cell = stack.use(
    await startProgram(
      [
        'cell',
        'run',
        `--name=c1`,
        `--folder=${join(folder, 'c1')}`,
        `--images=${images}`,
        '--dhcp',
        `--service-address=${rack.plan.rackAddress}`,
        `--listen=${rack.plan.cellAddress}`,
        `--rack=${rack.plan.bridge}=${rack.plan.rackAddress}/24`,
        '--kernel-parameters=console=ttyS0,115200 net.ifnames=0',
      ],
      { name: 'c1', folder, wrap: (argv) => rack.inside(argv) },
    ),
  );
  const front = stack.use(
    await startFront({
      version: 'e2e',
      log,
      config: {
        folder: join(folder, 'f1'),
        listen: ['127.0.0.1'],
        port: 0,
        cells: [],
        gather_ms: 5000,
        call_ms: 30_000,
        hub_ms: 10_000,
        allocate: 'best',
        ask_sample: 8,
        retries: 0.1,
        connections: 16,
      },
    }),
  );
  const client = createClient({ url: front.url, key: admin.apiKey });
  const sshKey = join(folder, 'ssh', 'id_ed25519');
  await mkdir(join(folder, 'ssh'), { recursive: true, mode: 0o700 });
  await promisify(execFile)('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'e2e', '-f', sshKey]);
  await client.call('SSHKeys.create', {}, { key: (await readFile(`${sshKey}.pub`, 'utf8')).trim() });
  const owned = stack.move();
  return { hub, front, cell, client, sshKey, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
