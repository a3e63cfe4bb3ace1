"""Exact binary search by FAISS, for comparison: faiss-flat.py CODES QUERIES CODE_BYTES
Prints its version as a JSON line, then reads lines "K I" and answers each with a JSON line: the milliseconds that
query I took for K answers, and the distance of the farthest."""
import json
import sys
import time

try:
    import faiss
    import numpy
except ImportError:
    sys.exit(3)

codes_path, queries_path, code_bytes = sys.argv[1], sys.argv[2], int(sys.argv[3])
codes = numpy.fromfile(codes_path, dtype=numpy.uint8).reshape(-1, code_bytes)
queries = numpy.fromfile(queries_path, dtype=numpy.uint8).reshape(-1, code_bytes)
faiss.omp_set_num_threads(1)
index = faiss.IndexBinaryFlat(code_bytes * 8)
index.add(codes)
print(json.dumps({"version": faiss.__version__}), flush=True)
for line in sys.stdin:
    k, i = map(int, line.split())
    begin = time.perf_counter()
    distances, _ = index.search(queries[i : i + 1], k)
    milliseconds = (time.perf_counter() - begin) * 1000
    print(json.dumps({"ms": milliseconds, "farthest": int(distances[0].max())}), flush=True)
