import { expect, test } from 'vitest';
import { subnetMeant } from './subnet-places.ts';

const subnets = [
  { name: 'lab', cidr: '10.1.0.0/24' },
  { name: '10.2.0.0/16', cidr: '10.2.0.0/16' },
  { name: 'six', cidr: 'fd00:1::/64' },
];

test.each([
  [{ subnet: ['cidr:10.1.0.0/24'] }, ['lab']],
  [{ subnet: ['lab'] }, ['lab']],
  [{ subnet: ['name:lab'], ip: ['10.2.0.1'] }, ['lab']],
  [{ subnet: ['name:10.1.0.0/24'] }, []],
  [{ source: ['ip:10.2.9.9'] }, ['10.2.0.0/16']],
  [{ subnet: ['ip:nine'] }, []],
  [{ subnet: [''], ip_address: ['10.1.0.7'] }, ['lab']],
  [{ start_ip: [' fd00:1::7'] }, ['six']],
  [{ ip: ['192.0.2.1'] }, []],
])('%j means %j', (fields, names) => {
  expect(subnets.filter(subnetMeant(fields) ?? (() => true)).map((subnet) => subnet.name)).toEqual(names);
});

test('what names no subnet and no address means none', () => {
  for (const fields of [{}, { ip: ['ten'] }, { hostname: ['10.1.0.1'] }]) expect(subnetMeant(fields)).toBeUndefined();
});
