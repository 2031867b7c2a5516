import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { networkServer, type NetworkServer } from '../../../test/network-server.ts';
import { recordErrors, togetherError } from './dns-record.ts';

let at: NetworkServer;
let domain: { id: number; name: string };
beforeAll(async () => {
  at = await networkServer();
  domain = await at.must('POST', 'domains/', { name: 'lab.example', cell: 'c17', ttl: 60 });
});
afterAll(() => at.drop());

describe('DNS resources', () => {
  test('a name with addresses, as MAAS shows it', async () => {
    const made = await at.must('POST', 'dnsresources/', {
      fqdn: 'Web.lab.example',
      cell: 'c17',
      ip_addresses: ['198.51.100.7 198.51.100.6', '2001:db8::0:7'],
      address_ttl: 0,
    });
    expect(made).toMatchObject({
      id: made.id,
      fqdn: 'web.lab.example',
      address_ttl: null,
      ip_addresses: ['198.51.100.6', '198.51.100.7', '2001:db8::7'].map((ip) => ({ ip, subnet: null, owner: null, interface_set: [] })),
      resource_records: [],
      resource_uri: `/MAAS/api/2.0/dnsresources/${made.id}/`,
    });
    const changed = await at.must('PUT', `dnsresources/${made.id}/`, { name: 'www', address_ttl: 90, ip_addresses: '198.51.100.6' });
    expect(changed).toMatchObject({ fqdn: 'www.lab.example', address_ttl: 90, ip_addresses: [{ ip: '198.51.100.6' }] });
    expect((await at.must('GET', `dnsresources/${made.id}/`, undefined, 'ann')).fqdn).toBe('www.lab.example');
    expect((await at.must('GET', `domains/${domain.id}/`)).resource_record_count).toBe(1);
    expect((await at.ask('DELETE', `domains/${domain.id}/`)).text).toBe('Domain lab.example is in use: 1 DNS resource.');
    expect((await at.ask('DELETE', `dnsresources/${made.id}/`)).status).toBe(204);
    expect((await at.ask('GET', `dnsresources/${made.id}/`)).status).toBe(404);
  });

  test.each([
    [{ name: 'x' }, 400],
    [{ domain: 'lab.example' }, 400],
    [{ name: 'x', domain: 'nowhere.example', cell: 'c17' }, 404],
    [{ fqdn: 'x.nowhere.example', cell: 'c17' }, 404],
    [{ name: 'a b', domain: 'lab.example' }, 400],
    [{ name: '-', domain: 'lab.example' }, 400],
    [{ name: 'x'.repeat(64), domain: 'lab.example' }, 400],
    [{ name: 'x', domain: 'lab.example', ip_addresses: 'one.one' }, 400],
    [{ name: 'x', domain: 'lab.example', address_ttl: -1 }, 400],
    [{ name: 'x', domain: 'lab.example', address_ttl: 604_801 }, 400],
  ])('%j is refused with %s', async (form, status) => {
    const answer = await at.ask('POST', 'dnsresources/', { cell: 'c17', ...form });
    expect([answer.status, answer.text]).toEqual([status, expect.any(String)]);
    expect(await at.must('GET', 'dnsresources/', { domain: 'lab.example' })).toEqual([]);
  });

  test('only admins write, everybody reads, nobody reads nothing', async () => {
    const form = { name: 'mine', domain: 'lab.example' };
    expect((await at.ask('POST', 'dnsresources/', form, 'ann')).status).toBe(403);
    expect((await at.ask('POST', 'dnsresourcerecords/', { ...form, rrtype: 'TXT', rrdata: 'x' }, 'ann')).status).toBe(403);
    expect((await at.ask('GET', 'dnsresources/', {}, 'nobody')).status).toBe(401);
    expect((await at.ask('GET', 'dnsresources/', {}, 'ann')).status).toBe(200);
  });

  test('lists: by name, domain and type; all shows what follows from machines', async () => {
    const fabric = await at.must('POST', 'fabrics/', { cell: 'c17' });
    const subnet = await at.must('POST', 'subnets/', { cidr: '10.62.0.0/24', vlan: fabric.vlans[0].id });
    const id = await at.machine();
    const nic = await at.must('POST', `nodes/${id}/interfaces/?op=create_physical`, {
      mac_address: '52:54:00:62:00:01',
      vlan: fabric.vlans[0].id,
    });
    await at.must('POST', `nodes/${id}/interfaces/${nic.id}/?op=link_subnet`, {
      mode: 'STATIC',
      subnet: subnet.id,
      ip_address: '10.62.0.9',
    });
    const { hostname } = await at.must('GET', `machines/${id}/`);
    const six = await at.must('POST', 'dnsresources/', { fqdn: 'six.lab.example', cell: 'c17', ip_addresses: '2001:db8::6' });
    const four = await at.must('POST', 'dnsresources/', { name: 'four', domain: domain.id, ip_addresses: '10.62.0.9' });
    // The address of a machine is shown with its subnet.
    expect(four.ip_addresses).toMatchObject([{ ip: '10.62.0.9', alloc_type: 1, subnet: { id: subnet.id } }]);
    const names = async (form: Record<string, unknown>) =>
      (await at.must('GET', 'dnsresources/', form)).map((one: { fqdn: string }) => one.fqdn);
    expect(await names({ domain: 'lab.example' })).toEqual(['four.lab.example', 'six.lab.example']);
    expect(await names({ domain: `${domain.id}`, rrtype: 'aaaa' })).toEqual(['six.lab.example']);
    expect(await names({ fqdn: 'four.lab.example' })).toEqual(['four.lab.example']);
    expect(await names({ domain: 'nowhere.example' })).toEqual([]);
    expect(await names({ name: hostname })).toEqual([]);
    const [implied] = await at.must('GET', 'dnsresources/', { name: hostname, all: 'true' });
    expect(implied).toMatchObject({
      id: -1,
      fqdn: `${hostname}.c17.example`,
      ip_addresses: null,
      resource_records: [{ rrtype: 'A', rrdata: '10.62.0.9', system_id: id, node_type: 0 }],
    });
    for (const one of [four, six]) await at.must('DELETE', `dnsresources/${one.id}/`);
  });
});

describe('DNS records', () => {
  test('made with their name, changed, and gone with the last', async () => {
    const mx = await at.must('POST', 'dnsresourcerecords/', {
      fqdn: 'lab.example',
      cell: 'c17',
      rrtype: 'mx',
      rrdata: '10 mail.lab.example',
      ttl: 0,
    });
    expect(mx).toEqual({
      id: mx.id,
      fqdn: 'lab.example',
      rrtype: 'MX',
      rrdata: '10 mail.lab.example',
      ttl: null,
      resource_uri: `/MAAS/api/2.0/dnsresourcerecords/${mx.id}/`,
    });
    const txt = await at.must('POST', 'dnsresourcerecords/', { name: '@', domain: domain.id, rrtype: 'TXT', rrdata: ' v=spf1 -all' });
    expect(txt.rrdata).toBe(' v=spf1 -all');
    expect(await at.must('PUT', `dnsresourcerecords/${mx.id}/`, { rrdata: '20 mail.lab.example', ttl: 30 })).toMatchObject({
      rrdata: '20 mail.lab.example',
      ttl: 30,
    });
    expect(await at.must('GET', 'dnsresourcerecords/', { domain: 'lab.example', rrtype: 'TXT' })).toEqual([txt]);
    const [apex] = await at.must('GET', 'dnsresources/', { fqdn: 'lab.example' });
    expect(apex.resource_records.map((one: { rrtype: string }) => one.rrtype)).toEqual(['MX', 'TXT']);
    for (const { id } of [mx, txt]) expect((await at.ask('DELETE', `dnsresourcerecords/${id}/`)).status).toBe(204);
    expect(await at.must('GET', 'dnsresources/', { domain: 'lab.example' })).toEqual([]);
    expect((await at.ask('PUT', `dnsresourcerecords/${mx.id}/`, { rrdata: '1 a' })).status).toBe(404);
  });

  test('a CNAME is alone, also when two are made at once', async () => {
    const make = (rrtype: string, rrdata: string) =>
      at.ask('POST', 'dnsresourcerecords/', { name: 'alias', domain: domain.id, rrtype, rrdata });
    const raced = await Promise.all([make('CNAME', 'a.lab.example'), make('TXT', 'x'), make('CNAME', 'b.lab.example'), make('TXT', 'y')]);
    const kept = raced.filter((one) => one.status === 200).map((one) => one.body.rrtype);
    expect([['CNAME'], ['TXT', 'TXT']]).toContainEqual(kept);
    for (const one of raced.filter(({ status }) => status !== 200)) expect([one.status, Object.keys(one.body)]).toEqual([400, ['__all__']]);
    const [{ id }] = await at.must('GET', 'dnsresources/', { fqdn: 'alias.lab.example' });
    await at.must('DELETE', `dnsresources/${id}/`);
    await at.must('POST', 'dnsresources/', { name: 'alias', domain: domain.id, ip_addresses: '198.51.100.1' });
    expect((await make('CNAME', 'a.lab.example')).status).toBe(400);
    expect((await at.ask('POST', 'dnsresources/', { name: 'alias', domain: domain.id })).body).toEqual({
      __all__: ['Labels must be unique within their zone.'],
    });
  });

  test.each([
    ['CNAME', 'web.lab.example.', undefined],
    ['CNAME', 'web lab', 'rrdata'],
    ['NS', '_ns1.example', undefined],
    ['NS', 'n..s', 'rrdata'],
    ['MX', '0 mail', undefined],
    ['MX', '65536 mail', 'rrdata'],
    ['MX', 'mail', 'rrdata'],
    ['SRV', '0 5 5060 sip.lab.example', undefined],
    ['SRV', '0 5 5060 .', undefined],
    ['SRV', '0 5 70000 sip', 'rrdata'],
    ['SRV', '0 5 sip', 'rrdata'],
    ['SSHFP', '4 2 aabbcc', undefined],
    ['SSHFP', '4 2 zz', 'rrdata'],
    ['TXT', 'anything "at" all;', undefined],
    ['TXT', 'two\nlines', 'rrdata'],
    ['A', '198.51.100.1', 'rrtype'],
    ['AAAA', '2001:db8::1', 'rrtype'],
  ])('%s %j', (rrtype, rrdata, wrong) => {
    expect(Object.keys(recordErrors(rrtype, rrdata) ?? {})).toEqual(wrong === undefined ? [] : [wrong]);
  });

  test('what may be beside what', () => {
    expect(togetherError(['TXT', 'MX', 'A'])).toBeUndefined();
    expect(togetherError(['CNAME'])).toBeUndefined();
    expect(togetherError(['CNAME', 'TXT'])).toMatch(/coexist/);
    expect(togetherError(['CNAME', 'CNAME'])).toMatch(/Only one/);
  });
});

describe('domains', () => {
  test('forward servers, the serial, and names in place of ids', async () => {
    const made = await at.must('POST', 'domains/', {
      name: 'far.example',
      cell: 'c17',
      forward_dns_servers: '198.51.100.53, 2001:db8::53',
    });
    expect(made.authoritative).toBe(false);
    const kept = await at.db.selectFrom('domain').select('forward_dns_servers').where('id', '=', made.id).executeTakeFirstOrThrow();
    expect(String(kept.forward_dns_servers)).toContain('198.51.100.53');
    for (const form of [{ forward_dns_servers: 'x' }, { authoritative: 'true', forward_dns_servers: '198.51.100.53' }])
      expect((await at.ask('PUT', `domains/${made.id}/`, form)).status).toBe(400);
    expect((await at.mustCell('GET', 'domains/name:far.example/')).id).toBe(made.id);
    expect((await at.mustCell('GET', 'domains/far.example/')).id).toBe(made.id);
    const serial = (value: unknown, who?: 'ann') => at.ask('POST', 'domains/?op=set_serial', { serial: value }, who);
    expect([(await serial(7)).status, (await serial(0)).status, (await serial('x')).status, (await serial(7, 'ann')).status]).toEqual([
      200, 400, 400, 403,
    ]);
    expect((await at.db.selectFrom('zone_serial').select('serial').executeTakeFirstOrThrow()).serial).toBe(7);
  });
});
