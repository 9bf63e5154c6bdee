# Reads the output of `go test -json`. Prints a line for each package that passed, failed tests with all their output, and skipped
# tests with their reason. Appends "passed failed skipped" to the file that the variable totals names.
#
# A test binary that times out, panics or exits ends the whole package. go test attributes the goroutine dump to whichever test
# wrote last, even to one that passed, and reports no result for tests that still ran. So the output of a test that contains a
# dump is kept until its package ends, and a package that fails prints it, and the output of each unfinished test.

# field returns the string value of a key, still escaped as in JSON. A key inside another string has escaped quotes and does not match.
function field(key) {
  if (!match($0, "[{,]\"" key "\":\"([^\"\\\\]|\\\\.)*\"")) return ""
  return substr($0, RSTART + length(key) + 5, RLENGTH - length(key) - 6)
}

function plain(s) {
  gsub(/\\\\/, "\001", s)
  gsub(/\\n/, "\n", s); gsub(/\\t/, "\t", s); gsub(/\\r/, "", s); gsub(/\\"/, "\"", s)
  gsub(/\\u003c/, "<", s); gsub(/\\u003e/, ">", s); gsub(/\\u0026/, "\\&", s); gsub(/\\u001b/, "\033", s)
  gsub(/\001/, "\\", s)
  return s
}

# reason returns the last line that a skipped test logged, without its position in the source.
function reason(s) {
  sub(/\n *--- SKIP.*/, "", s); sub(/\n$/, "", s); sub(/.*\n/, "", s); sub(/^ *[a-z_0-9]*\.go:[0-9]*: /, "", s)
  return s
}

{
  action = field("Action"); pkg = field("Package"); name = field("Test"); key = pkg " " name
  if (action == "build-output") { printf "%s", plain(field("Output")); next }
  if (action == "output") { said[key] = said[key] plain(field("Output")); next }
  if (action != "pass" && action != "fail" && action != "skip") next
  if (name != "") {
    count[action]++; tests[pkg]++
    if (action == "pass" && said[key] ~ /(^|\n)(panic: |fatal error: |SIGQUIT: )/) dump[pkg] = dump[pkg] said[key]
    if (action == "fail") { broken[pkg]++; printf "FAIL %s\n%s", key, said[key] }
    if (action == "skip") printf "skip %s: %s\n", key, reason(said[key])
  } else if (action == "fail") {
    # A package that fails without a failed test counts as a failure: it does not compile, or it ended early.
    printf "%s", dump[pkg]
    for (other in said) if (other != key && index(other, pkg " ") == 1) {
      printf "FAIL %s: it did not finish\n%s", other, said[other]
      count["fail"]++; broken[pkg]++
      delete said[other]
    }
    if (!broken[pkg]) count["fail"]++
    printf "%sFAIL %s\n", said[key], pkg
  } else if (action == "pass") {
    match($0, /"Elapsed":[0-9.]*/)
    printf "ok   %s (%d tests, %s s)\n", pkg, tests[pkg], substr($0, RSTART + 10, RLENGTH - 10)
  }
  delete said[key]
  fflush()
}

END { print count["pass"] + 0, count["fail"] + 0, count["skip"] + 0 >>totals }
