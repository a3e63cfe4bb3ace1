import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ImageMetadata } from '../../src/core/image-metadata.js';
import { Random } from '../../src/core/random.js';
import type { Filter } from '../../src/generated/kinscan/v1/Filter.js';
import type { GetImageResponse__Output } from '../../src/generated/kinscan/v1/GetImageResponse.js';
import type { SearchRangeRequest } from '../../src/generated/kinscan/v1/SearchRangeRequest.js';
import type { SearchRangeResponse__Output } from '../../src/generated/kinscan/v1/SearchRangeResponse.js';
import type { SearchRequest } from '../../src/generated/kinscan/v1/SearchRequest.js';
import type { SearchResponse__Output } from '../../src/generated/kinscan/v1/SearchResponse.js';
import { phantomPng } from '../encoder/test-images.js';
import { buildDicom, imageElements, words } from '../helpers/dicom-builder.js';
import { filterOf, plainSearch, type PlainImage } from '../shard/search/plain-search.js';
import { randomMetadata } from '../shard/search/random-metadata.js';
import { startHarness, TIMEOUT_MS, type CoordinatorHarness } from './coordinator-harness.js';

const IMAGES = 80;
const HASH_KEY = 'a key of a test, of 32 characters';

let harness: CoordinatorHarness;
let images: PlainImage[];

before(async () => {
  harness = await startHarness({ encoderFlags: ['--patient-hash-key', HASH_KEY] });
  const random = new Random(99);
  const requests = await Promise.all(
    Array.from({ length: IMAGES }, async (_, n) => ({
      requestId: `${n}`,
      imageId: `image ${n}`,
      content: Buffer.from(await phantomPng(n)),
      metadata: randomMetadata(random),
      wait: 'INGEST_WAIT_INDEXED' as const,
    })),
  );
  // one patient's two files, of two studies
  for (const [n, study] of ['1.77.1', '1.77.2'].entries()) {
    const content = Buffer.from(ctSlice(n, study));
    requests.push({ requestId: study, imageId: study, content, metadata: {}, wait: 'INGEST_WAIT_INDEXED' });
  }
  const responses = await harness.ingest(requests);
  for (const { rejected } of responses.values()) assert.equal(rejected ?? undefined, undefined);
  images = await Promise.all(requests.map(({ imageId }) => stored(imageId)));
});
after(() => harness.stop());

function ctSlice(n: number, study: string): Uint8Array {
  const pixelData = words(Array.from({ length: 64 }, (_, i) => (i * (n + 2) * 37) % 4096));
  const elements = [
    ...imageElements({ rows: 8, columns: 8, pixelData, bitsStored: 12 }),
    { tag: 0x00080020, vr: 'DA', value: '20240229' },
    { tag: 0x00100010, vr: 'PN', value: 'Doe^Jane' },
    { tag: 0x00100020, vr: 'LO', value: 'MRN-4711' },
    { tag: 0x0020000d, vr: 'UI', value: study },
  ];
  return buildDicom({ elements: elements.sort((a, b) => a.tag - b.tag) });
}

async function stored(imageId: string): Promise<PlainImage> {
  const record = await harness.retrieval.call<object, GetImageResponse__Output>(
    'GetImage',
    { imageId },
    { timeoutMs: TIMEOUT_MS },
  );
  const present = Object.entries(record.metadata ?? {}).filter(([, value]) => value !== '' && value !== 0);
  const metadata: ImageMetadata = Object.fromEntries(present);
  return { imageId, code: record.code?.bits ?? Buffer.alloc(0), fineCode: Buffer.alloc(0), metadata };
}

const search = (request: SearchRequest): Promise<SearchResponse__Output> =>
  harness.retrieval.call('Search', { ranking: 'RANKING_HAMMING', ...request }, { timeoutMs: TIMEOUT_MS });

async function range(request: SearchRangeRequest): Promise<SearchRangeResponse__Output[]> {
  const options = { ranking: 'RANKING_HAMMING' as const, ...request };
  const pages: SearchRangeResponse__Output[] = [];
  const call = harness.retrieval.serverStream<object, SearchRangeResponse__Output>('SearchRange', options, {
    timeoutMs: TIMEOUT_MS,
  });
  try {
    for await (const page of call) pages.push(page as SearchRangeResponse__Output);
  } catch (error) {
    throw harness.retrieval.streamError(error as Error);
  }
  return pages;
}

const idsOf = ({ hits }: { hits: readonly { imageId: string }[] }) => hits.map(({ imageId }) => imageId);
const imageOf = (id: string) => images.find(({ imageId }) => imageId === id) as PlainImage;

/** What a plain sort over the stored records says. */
function expected(
  query: string,
  conditions: Filter & { k?: number; groupBy?: 'studyInstanceUid' | 'patientHash' },
) {
  const { k = 1_000, groupBy, ...lists } = conditions;
  const filter = filterOf(lists);
  const { code } = imageOf(query);
  const hits = plainSearch(images, { code, fineCode: undefined, k, maxDistance: 48, filter, groupBy });
  return hits.map(({ id }) => id);
}

describe('a filtered search', () => {
  it('finds what a plain sort finds, whatever the query is', async () => {
    const filters: Filter[] = [
      { label: ['liver', 'nowhere'] },
      { modality: ['CT'], bodyPart: ['HEAD', 'CHEST'] },
      { studyInstanceUid: ['1.1', '1.2', '1.3'] },
      { seriesInstanceUid: ['1.1.0'] },
      { studyDateFrom: 20200102, studyDateTo: 20231231 },
      { excludeStudyInstanceUid: ['1.1'], laterality: ['L'] },
      { label: ['nowhere'] },
    ];
    for (const filter of filters) {
      const ids = expected('image 7', filter);
      const { code } = imageOf('image 7');
      const queries = [
        { imageId: 'image 7' },
        { image: Buffer.from(await phantomPng(7)) },
        { code: { bits: code, codeBits: 48 } },
      ];
      for (const query of queries) {
        const answer = await search({ ...query, k: 1_000, filter, requireComplete: true });
        assert.deepEqual(idsOf(answer), ids, JSON.stringify(filter));
      }
    }
    assert.ok(expected('image 7', { label: ['liver'] }).length > 5, 'the test has something to find');
  });

  it("leaves out the query's own study and patient", async () => {
    const own = images.find(({ metadata }) => metadata.studyInstanceUid && metadata.patientHash);
    assert.ok(own);
    const { imageId, metadata } = own;
    const study = await search({ imageId, k: 1_000, filter: { excludeQueryStudy: true } });
    const withoutStudy = { excludeStudyInstanceUid: [metadata.studyInstanceUid ?? ''] };
    assert.deepEqual(idsOf(study), expected(imageId, withoutStudy));
    assert.ok(!idsOf(study).includes(imageId));
    const both = { excludeQueryPatient: true, excludeQueryStudy: true };
    const patient = await search({ imageId, k: 1_000, filter: both });
    const withoutBoth = { ...withoutStudy, excludePatientHash: [metadata.patientHash ?? ''] };
    assert.deepEqual(idsOf(patient), expected(imageId, withoutBoth));
  });

  it('knows study and patient of a DICOM file that is not indexed', async () => {
    const image = Buffer.from(ctSlice(0, '1.77.1'));
    const found = async (filter: Filter) => idsOf(await search({ image, k: 1_000, filter })).sort();
    const files = ['1.77.1', '1.77.2'];
    assert.deepEqual(
      (await found({})).filter((id) => files.includes(id)),
      files,
    );
    assert.ok(!(await found({ excludeQueryStudy: true })).includes('1.77.1'));
    assert.ok((await found({ excludeQueryStudy: true })).includes('1.77.2'));
    const others = await found({ excludeQueryPatient: true });
    assert.deepEqual(
      others.filter((id) => files.includes(id)),
      [],
    );
    assert.equal(others.length, IMAGES);
    const { metadata } = imageOf('1.77.1');
    assert.equal(metadata.studyDate, 20240229);
    assert.match(metadata.patientHash ?? '', /^[0-9a-f]{64}$/);
    assert.ok(!JSON.stringify(metadata).includes('4711'));
  });

  it('is refused with its own code where the query is not known to be of a study or patient', async () => {
    const { code } = imageOf('image 7');
    const queries = [{ image: Buffer.from(await phantomPng(7)) }, { code: { bits: code, codeBits: 48 } }];
    for (const query of queries) {
      for (const filter of [{ excludeQueryStudy: true }, { excludeQueryPatient: true }]) {
        await assert.rejects(search({ ...query, k: 1, filter }), { code: 'QUERY_VALUE_UNKNOWN' });
      }
    }
  });
});

describe('a grouped search', () => {
  it('gives the nearest groups, each by its nearest image, merged from two shard servers', async () => {
    for (const [groupBy, field] of [
      ['GROUP_BY_STUDY', 'studyInstanceUid'],
      ['GROUP_BY_PATIENT', 'patientHash'],
    ] as const) {
      for (const k of [1, 5, 12, 1_000]) {
        const filter = { excludeStudyInstanceUid: ['1.3'] };
        const answer = await search({ imageId: 'image 3', k, groupBy, filter });
        assert.deepEqual(idsOf(answer), expected('image 3', { ...filter, k, groupBy: field }));
      }
    }
  });
});

describe('a range search', () => {
  const within = (query: string, maxDistance: number, filter?: Filter) => {
    const conditions = filterOf(filter ?? {});
    const { code } = imageOf(query);
    return plainSearch(images, {
      ...{ code, fineCode: undefined, k: Infinity, maxDistance, filter: conditions, groupBy: undefined },
    });
  };

  it('streams every image within the distance, in order, page by page', async () => {
    for (const [pageSize, maxDistance] of [
      [7, 48],
      [1, 20],
      [1_000, 48],
      [0, 10],
    ] as const) {
      const pages = await range({ imageId: 'image 5', maxDistance, pageSize, requireComplete: true });
      const hits = pages.flatMap((page) => page.hits);
      const all = within('image 5', maxDistance);
      assert.deepEqual(
        hits.map(({ imageId, distance }) => [imageId, distance]),
        all.map(({ id, distance }) => [id, distance]),
      );
      for (const page of pages.slice(0, -1))
        assert.deepEqual([page.hits.length, page.exhausted], [pageSize, false]);
      assert.equal(pages.at(-1)?.exhausted, true);
    }
  });

  it('keeps to its filter and its limit, and goes on behind any hit', async () => {
    const filter = { modality: ['CT'] };
    const all = within('image 5', 48, filter);
    const [page, ...none] = await range({ imageId: 'image 5', maxDistance: 48, filter, limit: 10 });
    assert.ok(page !== undefined && none.length === 0);
    assert.deepEqual([page.hits.length, page.exhausted], [10, false]);
    const { imageId, distance, fineDistance } = page.hits.at(-1) ?? {};
    const after = { imageId: imageId ?? '', distance: distance ?? 0, fineDistance: fineDistance ?? 0 };
    const rest = await range({ imageId: 'image 5', maxDistance: 48, filter, after, pageSize: 4 });
    assert.deepEqual(
      [...idsOf(page), ...rest.flatMap(idsOf)],
      all.map(({ id }) => id),
    );
  });

  it('that holds nothing is one page without hits', async () => {
    const pages = await range({ imageId: 'image 5', maxDistance: 48, filter: { label: ['nowhere'] } });
    assert.deepEqual(
      pages.map(({ hits, exhausted, partitionsAnswered }) => [hits.length, exhausted, partitionsAnswered]),
      [[0, true, 4]],
    );
  });
});

describe('bad questions', () => {
  const uid = ['not a uid'];
  const filters: Filter[] = [
    { studyInstanceUid: uid },
    { excludeStudyInstanceUid: uid },
    { patientHash: ['short'] },
    { label: [''] },
    { label: Array.from({ length: 1_001 }, (_, n) => `${n}`) },
    { studyDateFrom: 20240230 },
    { studyDateFrom: 20240102, studyDateTo: 20240101 },
  ];

  it('have codes of their own', async () => {
    for (const filter of filters) {
      await assert.rejects(search({ imageId: 'image 1', k: 1, filter }), { code: 'INVALID_FILTER' });
      await assert.rejects(range({ imageId: 'image 1', filter }), { code: 'INVALID_FILTER' });
    }
    await assert.rejects(search({ imageId: 'image 1', k: 1, groupBy: 9 as never }), {
      code: 'INVALID_ARGUMENT',
    });
    const ranges: [string, SearchRangeRequest][] = [
      ['INVALID_ARGUMENT', { imageId: 'image 1', pageSize: 1_001 }],
      ['INVALID_ARGUMENT', { imageId: 'image 1', maxDistance: 49 }],
      ['INVALID_ARGUMENT', {}],
      ['INVALID_ARGUMENT', { imageId: 'image 1', after: { imageId: 'x', distance: 70_000 } }],
      ['INVALID_IMAGE_ID', { imageId: 'image 1', after: { distance: 1 } }],
      ['IMAGE_NOT_FOUND', { imageId: 'nobody' }],
      [
        'QUERY_VALUE_UNKNOWN',
        { code: { bits: Buffer.alloc(6), codeBits: 48 }, filter: { excludeQueryStudy: true } },
      ],
    ];
    for (const [code, request] of ranges) {
      await assert.rejects(range(request), { code }, JSON.stringify(request));
    }
  });

  it('about metadata are refused at ingest', async () => {
    const content = Buffer.from(await phantomPng(1));
    const wrong = [
      { studyInstanceUid: 'not a uid' },
      { seriesInstanceUid: '1'.repeat(65) },
      { studyDate: 20230229 },
      { patientHash: 'MRN-4711' },
    ];
    const requests = wrong.map((metadata, n) => ({ requestId: `${n}`, imageId: 'x', content, metadata }));
    for (const { rejected } of (await harness.ingest(requests)).values()) {
      assert.equal(rejected?.code, 'INVALID_ARGUMENT');
      assert.ok(!rejected?.message.includes('4711'));
    }
  });
});
