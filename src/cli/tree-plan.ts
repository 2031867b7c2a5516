/** What `muster up` runs, decided before anything is started: folders, addresses, ports and command lines. Pure. */
import { join } from 'node:path';
import { inRack, type RackPlan } from './rack-network.ts';

export interface TreeRequest {
  readonly folder: string;
  readonly cells: number;
  readonly fronts: number;
  /** One a cell where racks can be built; empty otherwise. */
  readonly racks: readonly RackPlan[];
  readonly hubPort: number;
  readonly hubPlainPort: number;
  readonly frontPorts: readonly number[];
  readonly images: string;
  /** Whether there are boot loaders to serve by TFTP. */
  readonly loaders: boolean;
  /** Further flags of every cell. */
  readonly cellFlags: readonly string[];
  /** Node and the main program. */
  readonly program: readonly [string, ...string[]];
}

export interface ProgramPlan {
  readonly name: string;
  readonly folder: string;
  readonly argv: readonly [string, ...string[]];
  readonly log: string;
}

export interface CellPlan extends ProgramPlan {
  /** 1 to 250: the third byte of its rack's network. */
  readonly rackNumber: number;
  readonly rack: RackPlan | undefined;
  /** Where fronts and this host reach it. */
  readonly url: string;
  /** The only address that machines are given. */
  readonly serviceAddress: string;
  /** Where the cell reaches the hub. */
  readonly hubUrl: string;
  /** 0: none; its machines begin with the boot script over HTTP. */
  readonly tftpPort: number;
}

export interface FrontPlan extends ProgramPlan {
  readonly url: string;
  readonly hubUrl: string;
}

export interface HubPlan extends ProgramPlan {
  readonly url: string;
  readonly plainUrl: string;
  /** Name, password and key of the first admin, 0600; the key stays there for the next start. */
  readonly adminFile: string;
}

export interface TreePlan {
  readonly hub: HubPlan;
  readonly cells: readonly CellPlan[];
  readonly fronts: readonly FrontPlan[];
}

export const cellPort = 5240;

export function planTree(request: TreeRequest): TreePlan {
  const { folder, program, hubPort, hubPlainPort, images } = request;
  const logOf = (name: string) => join(folder, 'log', `${name}.log`);
  const adminFile = join(folder, 'admin.json');
  const hosts = request.racks.map((rack) => rack.hostAddress);
  const hub: HubPlan = {
    name: 'hub',
    folder: join(folder, 'hub'),
    log: logOf('hub'),
    adminFile,
    url: `https://127.0.0.1:${hubPort}`,
    plainUrl: `http://127.0.0.1:${hubPlainPort}`,
    argv: [
      ...program,
      'hub',
      'run',
      `--folder=${join(folder, 'hub')}`,
      `--port=${hubPort}`,
      `--plain-port=${hubPlainPort}`,
      `--images=${images}`,
      `--first-admin=${adminFile}`,
      ...(hosts.length === 0 ? [] : [`--listen=${hosts.join(',')}`]),
    ],
  };
  const cells = Array.from({ length: request.cells }, (_, index) => planCell(request, index + 1, logOf(`c${index + 1}`)));
  const fronts = request.frontPorts.map((port, index): FrontPlan => {
    const name = `f${index + 1}`;
    const own = join(folder, name);
    return {
      name,
      folder: own,
      log: logOf(name),
      url: `http://127.0.0.1:${port}`,
      hubUrl: hub.url,
      argv: [...program, 'front', 'run', '--folder', own, '--listen', '127.0.0.1', '--port', String(port)],
    };
  });
  return { hub, cells, fronts };
}

function planCell({ folder, racks, program, hubPort, images, loaders, cellFlags }: TreeRequest, number: number, log: string): CellPlan {
  const name = `c${number}`;
  const rack = racks[number - 1];
  // Without racks the whole of 127.0.0.0/8 is this host's own: a network for each cell's simulated machines, that nobody else can reach.
  const serviceAddress = rack?.rackAddress ?? `127.40.${number}.1`;
  const reached = rack?.cellAddress ?? serviceAddress;
  const tftpPort = loaders ? (rack ? 69 : 6969) : 0;
  const own = join(folder, name);
  const flags = [
    `--name=${name}`,
    `--folder=${own}`,
    `--service-address=${serviceAddress}`,
    `--port=${cellPort}`,
    `--images=${images}`,
    `--tftp-port=${tftpPort}`,
    `--rack=${rack?.bridge ?? 'lo'}=${serviceAddress}/24`,
    ...(rack ? [`--listen=${reached}`, '--dhcp'] : []),
    ...cellFlags,
  ];
  const argv: readonly [string, ...string[]] = [...program, 'cell', 'run', ...flags];
  return {
    name,
    folder: own,
    log,
    rackNumber: number,
    rack,
    serviceAddress,
    tftpPort,
    url: `http://${reached}:${cellPort}`,
    hubUrl: `https://${rack?.hostAddress ?? '127.0.0.1'}:${hubPort}`,
    argv: rack ? (inRack(rack, argv) as [string, ...string[]]) : argv,
  };
}
