#!/usr/bin/awk -f
# .ci/count_tests.awk -- from the log of `ctest --verbose`: what failed, then "N passed, M failed".
#
# A doctest binary counts by its test cases, anything else as one test; a binary that did not get to its
# summary has failed. Exit code 1 when anything failed or nothing ran.
/^[0-9]+: / {
  number = $1 + 0
  output[number] = output[number] "  " substr($0, index($0, ":") + 2) "\n"
  if (match($0, /\[doctest\] test cases:/)) {
    seen[number] = 1
    sub(/.*test cases:/, "", $0)
    split($0, count, "|")
    good[number] = count[2] + 0
    bad[number] = count[3] + 0
  }
}
/^ *[0-9]+\/[0-9]+ Test +#/ {
  match($0, /#[0-9]+/)
  number = substr($0, RSTART + 1, RLENGTH - 1) + 0
  ok = /   Passed /
  if (!seen[number]) { passed += ok; failed += !ok }
  else { passed += good[number]; failed += bad[number] + (!ok && bad[number] == 0) }
  if (!ok) complaints = complaints "\n" $0 "\n" output[number]
}
END {
  printf "%s", complaints
  print ""
  printf "%d passed, %d failed\n", passed, failed
  exit !(failed == 0 && passed > 0)
}
