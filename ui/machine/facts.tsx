/** What is known of the machine: facts, disks, interfaces. */
import type { ReactNode } from 'react';
import { diskText, memoryText } from '../amount.ts';
import { Empty } from '../parts/notice.tsx';
import type { MachineBody } from './queries.ts';

/** Words by which firmware says nothing. */
const empty: ReadonlySet<string> = new Set(['', 'Unknown', 'Not Specified', 'None', 'undefined']);

/** Key of hardware_info → what it is called here. */
const hardware: readonly (readonly [string, string])[] = [
  ['system_vendor', 'Vendor'],
  ['system_product', 'Product'],
  ['system_serial', 'Serial'],
  ['mainboard_product', 'Mainboard'],
  ['cpu_model', 'CPU model'],
  ['bios_version', 'BIOS version'],
];

function factsOf(machine: MachineBody): readonly (readonly [string, ReactNode])[] {
  const firmware = { pxe: 'BIOS', uefi: 'UEFI' }[machine.bios_boot_method ?? ''] ?? machine.bios_boot_method;
  const system = [machine.osystem, machine.distro_series].filter((part) => part !== '').join(' ');
  return [
    ['Cell', machine.cell],
    ['Name', machine.fqdn],
    ['Addresses', machine.ip_addresses.join(', ')],
    ['Owner', machine.owner],
    ['System', system],
    ['Zone', machine.zone.name],
    ['Pool', machine.pool.name],
    ['Tags', machine.tag_names.join(', ')],
    ['Architecture', machine.architecture],
    ['Firmware', firmware],
    ['CPU', machine.cpu_count === 0 ? '' : `${machine.cpu_count} threads${machine.cpu_speed > 0 ? `, ${machine.cpu_speed} MHz` : ''}`],
    ['Memory', memoryText(machine.memory)],
    ['Disks', diskText(machine.storage * 1e6)],
    ['Power driver', machine.power_type],
    ['Boots', machine.netboot ? 'from the network (a ticket is live)' : 'its own disk'],
    ...hardware.map(([key, name]): readonly [string, ReactNode] => [name, machine.hardware_info[key]]),
    ['UUID', machine.hardware_uuid],
  ];
}

export function Facts({ machine }: { readonly machine: MachineBody }) {
  return (
    <dl className="facts">
      {factsOf(machine)
        .filter(([, value]) => value !== null && value !== undefined && !(typeof value === 'string' && empty.has(value)))
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

export function Disks({ machine }: { readonly machine: MachineBody }) {
  const disks = machine.physicalblockdevice_set;
  if (disks.length === 0) return <Empty>None known: commissioning finds them.</Empty>;
  return (
    <div className="wide">
      <table>
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Size</th>
            <th scope="col">Model, serial</th>
            <th scope="col">Holds</th>
          </tr>
        </thead>
        <tbody>
          {disks.map((disk) => (
            <tr key={disk.id}>
              <td>
                {disk.name}
                {machine.boot_disk?.id === disk.id && <span className="tag">boot</span>}
              </td>
              <td className="short">{diskText(disk.size)}</td>
              <td>{[disk.model, disk.serial].filter(Boolean).join(', ') || '—'}</td>
              <td>{disk.partitions.map((part) => part.filesystem?.mount_point ?? part.used_for).join(', ') || disk.used_for || '—'}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function Interfaces({ machine }: { readonly machine: MachineBody }) {
  const interfaces = machine.interface_set;
  if (interfaces.length === 0) return <Empty>None known: it has never been seen on the network.</Empty>;
  return (
    <div className="wide">
      <table>
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">MAC</th>
            <th scope="col">Network</th>
            <th scope="col">Addresses</th>
          </tr>
        </thead>
        <tbody>
          {interfaces.map((card) => (
            <tr key={card.id}>
              <td>
                {card.name}
                {machine.boot_interface?.id === card.id && <span className="tag">boot</span>}
              </td>
              <td className="mono">{card.mac_address}</td>
              <td>{card.vlan ? `${card.vlan.fabric} / ${card.vlan.name}` : '—'}</td>
              <td>
                {card.links.map((link) => link.ip_address ?? link.mode).join(', ') ||
                  (card.discovered ?? []).map((one) => one.ip_address).join(', ') ||
                  '—'}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
