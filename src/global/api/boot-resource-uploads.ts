/** Uploading images and retiring them. What is on its way is nobody's business but the uploader's: the catalogue has only what is whole. */
import { machineArchitecture } from '../../contract/architecture.ts';
import { fail, invalid } from '../../contract/errors.ts';
import type { Handlers } from '../../http/handler.ts';
import { newestVersion, stageBootResource } from '../boot-catalogue.ts';
import { chunkStart } from '../content-range.ts';
import { keptVersions, removableFiles, removeUnnamed } from '../image-files.ts';
import type { Upload, UploadStore } from '../image-uploads.ts';
import type { BodyOf } from '../kinds.ts';
import { resourceBody } from './boot-resources.ts';
import { authorityOf, commit, idOfPath, uri, type GlobalAuthority, type GlobalReads, type WritesTo } from './context.ts';

/** The ephemeral environment and what else is built, not uploaded. */
const builtOnly = 'muster/';

function uploadsOf(authority: GlobalAuthority): UploadStore {
  if (authority.uploads) return authority.uploads;
  throw fail('bad_request', { reason: 'No images are kept here.' });
}

/** What people may say of an image, as far as they did. */
function saidOf({ title, base_image }: Pick<Upload, 'title' | 'base_image'>): Pick<Upload, 'title' | 'base_image'> {
  return { ...(title === undefined ? {} : { title }), ...(base_image === undefined ? {} : { base_image }) };
}

/** A resource as it will be, with the one file that is on its way. */
function pendingBody(upload: Upload) {
  const { id, resource, name, architecture, filetype, version, sha256, size, received } = upload;
  const progress = received / size;
  const upload_uri = uri('boot-resources', resource, 'upload', id);
  const file = { filename: filetype, filetype, sha256, size, complete: false, upload_uri, received, progress };
  return {
    ...resourceBody({ id: resource, name, architecture, type: 'Uploaded', sets: {}, ...saidOf(upload) }),
    sets: { [version]: { version, label: 'uploaded', size, complete: false, files: { [filetype]: file } } },
  };
}

function wholeBody(resource: BodyOf<'boot_resource'>) {
  return { ...resourceBody(resource), sets: resource.sets };
}

/** `20261123173059`, rising: newer than what the resource has. */
function versionAt(now: Date, known: BodyOf<'boot_resource'> | undefined): string {
  const text = now.toISOString().replace(/\D/g, '').slice(0, 14);
  const newest = known && newestVersion(known);
  return newest !== undefined && newest >= text ? `${newest}.1` : text;
}

type Routes = 'BootResources.create' | 'BootResource.delete' | 'BootResourceFileUpload.update';

/** `now`: for tests. */
export function bootResourceUploads(to: WritesTo, { reader }: GlobalReads, now: () => Date = () => new Date()): Handlers<Routes> {
  /** Put what is whole into the catalogue. Doing it again changes nothing. */
  const publish = async (call: Parameters<typeof commit>[1], uploads: UploadStore, upload: Upload) => {
    const { name, architecture, version, filetype, sha256, size } = upload;
    const files = { [filetype]: { filetype, sha256, size } };
    const entry = {
      name,
      architecture,
      type: 'Uploaded' as const,
      label: 'uploaded',
      version,
      files,
      ...saidOf(upload),
    };
    const { resource, dropped } = await commit(to, call, 'config', async (draft) => {
      const staged = await stageBootResource(draft, entry, upload.resource);
      const { kept, dropped } = keptVersions(staged.sets);
      if (dropped.length > 0) draft.put('boot_resource', staged.id, { ...staged, sets: kept });
      // What was built here and is forgotten keeps its file: a manifest names it.
      return { resource: { ...staged, sets: kept }, dropped: dropped.filter((set) => set.label === 'uploaded') };
    });
    await uploads.finish(upload.id);
    await removeUnnamed(
      reader,
      uploads,
      dropped.flatMap((set) => Object.values(set.files)),
    );
    return resource;
  };

  return {
    'BootResources.create': async (call) => {
      const authority = authorityOf(to);
      const uploads = uploadsOf(authority);
      const { size } = call.params;
      const sha256 = call.params.sha256.toLowerCase();
      const name = call.params.name.includes('/') ? call.params.name : `custom/${call.params.name}`;
      const architecture = machineArchitecture(call.params.architecture);
      if (architecture === undefined) throw invalid({ architecture: ['Not an architecture: amd64/generic is meant.'] });
      if (name.startsWith(builtOnly)) throw invalid({ name: [`${builtOnly} is what is built here: muster image build.`] });
      const filetype = 'root-tar.zst';
      const same = (one: Upload) => one.name === name && one.architecture === architecture && one.sha256 === sha256 && one.size === size;
      const begun = (await uploads.list()).find((one) => !one.done && same(one));
      const stored = await uploads.open(sha256);
      if (stored && stored.size !== size) throw invalid({ size: [`The file with this digest has ${stored.size} bytes.`] });
      const known = reader.list('boot_resource').find((one) => one.name === name && one.architecture === architecture);
      if (known?.type === 'Synced') throw invalid({ name: [`${name} comes from a boot source.`] });
      const newest = known?.sets[newestVersion(known) ?? ''];
      if (known && stored && Object.values(newest?.files ?? {}).some((file) => file.sha256 === sha256)) return wholeBody(known);
      const fresh = async (): Promise<Upload> => {
        const { value: id } = await authority.writer.write('config', call.caller.username, (draft) => draft.drawId());
        const given = { name, architecture, filetype, sha256, size, ...saidOf(call.params) };
        return { ...given, id, resource: known?.id ?? id, version: versionAt(now(), known), received: 0, done: false };
      };
      const upload = begun ?? (await fresh());
      // Bytes that are here need not come again.
      if (stored) return wholeBody(await publish(call, uploads, upload));
      if (!begun) await uploads.begin(upload);
      return pendingBody(upload);
    },
    'BootResourceFileUpload.update': async (call) => {
      const uploads = uploadsOf(authorityOf(to));
      const upload = await uploads.find(idOfPath(call.path.id));
      if (!upload || upload.resource !== idOfPath(call.path.resource_id)) throw fail('not_found', { what: 'BootResourceFile' });
      const chunk = call.body ?? Buffer.alloc(0);
      const range = call.request.headers['content-range'];
      const at = chunkStart(typeof range === 'string' ? range : undefined, chunk.length, upload.size);
      if (at === 'malformed')
        throw fail('bad_request', { reason: 'Content-Range does not fit this chunk: bytes FIRST-LAST/SIZE is meant.' });
      const written = await uploads.append(upload.id, chunk, at);
      if (written.received === written.size && !written.done) await publish(call, uploads, written);
      return 'OK';
    },
    'BootResource.delete': async (call) => {
      const authority = authorityOf(to);
      const resource = await commit(to, call, 'config', (draft) => {
        const found = draft.get('boot_resource', idOfPath(call.path.id));
        if (!found) throw fail('not_found', { what: 'BootResource' });
        if (found.name.startsWith(builtOnly))
          throw fail('bad_request', { reason: 'Without the ephemeral environment no machine can be looked at.' });
        draft.retire('boot_resource', found.id);
        return found;
      });
      // Built images keep their files: the image folder has a manifest that names them.
      if (authority.uploads) await removeUnnamed(reader, authority.uploads, removableFiles(resource));
    },
  };
}
