"""Exact binary search by FAISS, for comparison: faiss-flat.py CODES QUERIES CODE_BYTES K... -> one JSON line."""
import json
import sys
import time

try:
    import faiss
    import numpy
except ImportError as missing:
    print(json.dumps({"missing": str(missing)}))
    sys.exit(0)

codes_path, queries_path, code_bytes = sys.argv[1], sys.argv[2], int(sys.argv[3])
codes = numpy.fromfile(codes_path, dtype=numpy.uint8).reshape(-1, code_bytes)
queries = numpy.fromfile(queries_path, dtype=numpy.uint8).reshape(-1, code_bytes)
faiss.omp_set_num_threads(1)
index = faiss.IndexBinaryFlat(code_bytes * 8)
index.add(codes)
results = []
for k in map(int, sys.argv[4:]):
    index.search(queries[:1], k)
    times, farthest = [], []
    for query in queries:
        begin = time.perf_counter()
        distances, _ = index.search(query[None, :], k)
        times.append((time.perf_counter() - begin) * 1000)
        farthest.append(int(distances[0].max()))
    results.append({"k": k, "ms": times, "farthest": farthest})
print(json.dumps({"version": faiss.__version__, "results": results}))
