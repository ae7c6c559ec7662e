# Plants the bugs of lists, all of them asleep, in the copy of the sources in the folder `copy`, and writes a table of them:
# name, file and law, with tabs between. Fragments are looked for in the sources as they are, so that bugs may stand in one
# another, or in the same place. A fragment that is not there exactly once is told, as are bugs that cross; the exit code is 1.
#   awk -v copy=FOLDER -f plant.awk bugs*.txt

/^(#.*)?$/ { next }
/^  @ /    { file[count] = substr($0, 5); next }
/^  = /    { form[count] = substr($0, 5); next }
/^  \? /   { law[count] = substr($0, 5); next }
           { name[++count] = $0; list[count] = FILENAME }

function refuse(bug, reason) {
  printf "%s: %s: %s\n", list[bug], name[bug], reason > "/dev/stderr"
  refused = 1
}

# Takes ⟦sound ⇒ planted⟧ and what stands around it apart.
function parse(bug,   text, opening, arrow, closing) {
  text = form[bug]
  opening = index(text, "⟦"); arrow = index(text, " ⇒ "); closing = index(text, "⟧")
  if (!(bug in file) || !(bug in law) || !opening || opening > arrow || arrow > closing)
    return refuse(bug, "lacks its file, its law or ⟦sound ⇒ planted⟧")
  before[bug] = substr(text, 1, opening - 1)
  sound[bug] = substr(text, opening + length("⟦"), arrow - opening - length("⟦"))
  planted[bug] = substr(text, arrow + length(" ⇒ "), closing - arrow - length(" ⇒ "))
  fragment[bug] = before[bug] sound[bug] substr(text, closing + length("⟧"))
  if (length(sound[bug]) > longest) longest = length(sound[bug])
}

# Notes where the sound part stands: its line, its first column, and the column after it.
function locate(bug,   path, text, number, passed, column, found, other) {
  path = copy "/" file[bug]
  while ((getline text < path) > 0) {
    number++
    for (passed = 0; column = index(substr(text, passed + 1), fragment[bug]); passed += column) {
      found++
      line[bug] = file[bug] SUBSEP number
      first[bug] = passed + column + length(before[bug])
    }
  }
  close(path)
  if (found != 1) return refuse(bug, file[bug] " has " found + 0 " times, not once: " fragment[bug])
  after[bug] = first[bug] + length(sound[bug])
  for (other in after)
    if (line[other] == line[bug] && (crosses(bug, other) || crosses(other, bug)))
      refuse(bug, "crosses the part of another: " name[other])
}

function crosses(a, b) {
  return first[a] < first[b] && first[b] < after[a] && after[a] < after[b]
}

# The sound part becomes a choice by number: this goes before it, and two brackets after it.
function choice(bug) {
  return file[bug] ~ /\.cs$/ \
    ? "(Cnn.FSharp.Planted.number == " bug " ? (" planted[bug] ") : (" \
    : "(if Cnn.FSharp.Planted.number = " bug " then (" planted[bug] ") else ("
}

# Of choices that begin in one place, that of the longest part goes first.
function prepare(   size, bug) {
  for (size = 0; size <= longest; size++)
    for (bug = 1; bug <= count; bug++)
      if (length(sound[bug]) == size) {
        touched[line[bug]]
        opened[line[bug], first[bug]] = choice(bug) opened[line[bug], first[bug]]
        closed[line[bug], after[bug]] = closed[line[bug], after[bug]] "))"
      }
}

function plant(source,   path, text, number, column, here, sown) {
  path = copy "/" source
  while ((getline text < path) > 0) {
    number++
    here = source SUBSEP number
    if (here in touched)
      for (column = 1; column <= length(text) + 1; column++)
        sown = sown closed[here, column] opened[here, column] substr(text, column, 1)
    else sown = sown text
    sown = sown "\n"
  }
  close(path)
  printf "%s", sown > path
  close(path)
}

END {
  for (bug = 1; bug <= count; bug++) parse(bug)
  if (!refused) for (bug = 1; bug <= count; bug++) { locate(bug); sources[file[bug]] }
  if (!refused) prepare()
  if (!refused) for (source in sources) plant(source)
  if (!refused) for (bug = 1; bug <= count; bug++) printf "%s\t%s\t%s\n", name[bug], file[bug], law[bug]
  exit refused
}
