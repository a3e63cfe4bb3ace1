import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { KinscanError } from '../core/errors.js';

/** Folders within a class folder; a bound, since links may lead in circles. */
const FOLDER_DEPTH_MAX = 8;

/** One image of a folder `<class>/<image>`. */
export interface LabelledFile {
  /** `<class>/<path below it>`, with forward slashes: the id that `kinscan ingest` gives the same file. */
  readonly imageId: string;
  readonly path: string;
  /** Number of the class in `LabelledFolder.classes`. */
  readonly label: number;
}

export interface LabelledFolder {
  /** Class names, sorted; those of folders that hold at least one file. */
  readonly classes: readonly string[];
  /** Sorted by image id. */
  readonly files: readonly LabelledFile[];
}

/** Where queries come from: split off the gallery, or a folder of their own. */
export type DataFolders =
  | { readonly kind: 'one'; readonly folder: LabelledFolder }
  | { readonly kind: 'split'; readonly gallery: LabelledFolder; readonly queries: LabelledFolder };

/**
 * Lists the files of every class folder, sub-folders included; hidden files and folders are left out. Nothing is
 * opened: whether a file is an image shows when it is decoded.
 * @param classNames classes to use, in this numbering (for a second folder of the same data); all by default
 * @throws KinscanError INVALID_ARGUMENT where the folder is missing or holds no files or only one class
 */
export async function listLabelledFolder(
  folder: string,
  classNames?: readonly string[],
): Promise<LabelledFolder> {
  const info = await stat(folder).catch(() => undefined);
  if (info?.isDirectory() !== true) throw new KinscanError('INVALID_ARGUMENT', `no such folder: ${folder}`);
  const names = classNames ?? (await subFolders(folder));
  const perClass = await Promise.all(
    names.map(async (name) => ({ name, paths: await filesBelow(join(folder, name)) })),
  );
  const filled = classNames === undefined ? perClass.filter(({ paths }) => paths.length > 0) : perClass;
  const files = filled.flatMap(({ name, paths }, label) =>
    paths.map((path) => ({ imageId: `${name}/${path}`, path: join(folder, name, path), label })),
  );
  if (files.length === 0) {
    throw new KinscanError(
      'INVALID_ARGUMENT',
      `no images in ${folder}: expected ${join(folder, '<class>', '<image>')}`,
    );
  }
  if (new Set(files.map(({ label }) => label)).size < 2) {
    throw new KinscanError(
      'INVALID_ARGUMENT',
      `only one class in ${folder}: at least two are needed to rank by class`,
    );
  }
  files.sort((a, b) => (a.imageId < b.imageId ? -1 : 1));
  return { classes: filled.map(({ name }) => name), files };
}

/**
 * The gallery and the queries of a data folder. A folder whose sub-folders are `train` and `test` (among others) is
 * taken as gallery = train, queries = test; `galleryFolder` names a gallery explicitly, `dataFolder` then holds the
 * queries.
 * @throws KinscanError INVALID_ARGUMENT as `listLabelledFolder`
 */
export async function findDataFolders(dataFolder: string, galleryFolder?: string): Promise<DataFolders> {
  const names = await subFolders(dataFolder).catch((): string[] => []);
  const isSplit = names.includes('train') && names.includes('test');
  if (galleryFolder === undefined && !isSplit)
    return { kind: 'one', folder: await listLabelledFolder(dataFolder) };
  const gallery = await listLabelledFolder(galleryFolder ?? join(dataFolder, 'train'));
  const queryFolder = galleryFolder === undefined ? join(dataFolder, 'test') : dataFolder;
  // A query class that the gallery lacks would have nothing relevant to find.
  return { kind: 'split', gallery, queries: await listLabelledFolder(queryFolder, gallery.classes) };
}

async function subFolders(folder: string): Promise<string[]> {
  return (await visibleEntries(folder)).filter(({ isFolder }) => isFolder).map(({ name }) => name);
}

/** Paths relative to the folder, with forward slashes; none where the folder does not exist or lies too deep. */
async function filesBelow(folder: string, depth = 0): Promise<string[]> {
  if (depth > FOLDER_DEPTH_MAX) return [];
  const entries = await visibleEntries(folder).catch(() => []);
  const nested = entries.map(async ({ name, isFolder }) =>
    isFolder ? (await filesBelow(join(folder, name), depth + 1)).map((path) => `${name}/${path}`) : [name],
  );
  return (await Promise.all(nested)).flat();
}

/** Files and folders, sorted by name; links are followed, broken ones left out. */
async function visibleEntries(folder: string): Promise<{ name: string; isFolder: boolean }[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const visible = entries
    .filter(({ name }) => !name.startsWith('.'))
    .map(async (entry) => {
      const info = entry.isSymbolicLink()
        ? await stat(join(folder, entry.name)).catch(() => undefined)
        : entry;
      if (info === undefined || !(info.isFile() || info.isDirectory())) return [];
      return [{ name: entry.name, isFolder: info.isDirectory() }];
    });
  return (await Promise.all(visible)).flat().sort((a, b) => (a.name < b.name ? -1 : 1));
}
