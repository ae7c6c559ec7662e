# Plants the bugs of a list, all of them asleep, in the copy of the sources in the folder `copy`, and writes a table of them:
# name, file and law, with tabs between. Fragments are looked for in the sources as they are, without the other bugs; one that
# is not there exactly once, or a part that another bug changes too, is told, and the exit code is 1.
#   awk -v copy=FOLDER -f plant.awk bugs.txt

/^(#.*)?$/ { next }
/^  @ /    { file[count] = substr($0, 5); next }
/^  = /    { form[count] = substr($0, 5); next }
/^  \? /   { law[count] = substr($0, 5); next }
           { name[++count] = $0 }

function refuse(bug, reason) {
  printf "bugs.txt: %s: %s\n", name[bug], reason > "/dev/stderr"
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
}

# Notes in at[file, row, column] the bug whose sound part begins there.
function locate(bug,   path, text, row, column, passed, found, last) {
  path = copy "/" file[bug]
  while ((getline text < path) > 0) {
    row++
    for (passed = 0; column = index(substr(text, passed + 1), fragment[bug]); passed += column) {
      found++
      last = row SUBSEP passed + column + length(before[bug])
    }
  }
  close(path)
  if (found != 1) return refuse(bug, file[bug] " has " found + 0 " times, not once: " fragment[bug])
  if ((file[bug], last) in at) refuse(bug, "changes what another bug changes: " name[at[file[bug], last]])
  at[file[bug], last] = bug
}

function choice(bug) {
  return file[bug] ~ /\.cs$/ \
    ? "(Cnn.FSharp.Planted.number == " bug " ? (" planted[bug] ") : (" sound[bug] "))" \
    : "(if Cnn.FSharp.Planted.number = " bug " then (" planted[bug] ") else (" sound[bug] "))"
}

function plant(source,   path, text, row, column, bug, sown, done) {
  path = copy "/" source
  while ((getline text < path) > 0) {
    row++; done = 0
    for (column = 1; column <= length(text); column++)
      if ((source, row, column) in at) {
        if (column <= done) refuse(at[source, row, column], "changes what another bug changes: " name[bug])
        bug = at[source, row, column]
        sown = sown substr(text, done + 1, column - done - 1) choice(bug)
        done = column + length(sound[bug]) - 1
      }
    sown = sown substr(text, done + 1) "\n"
  }
  close(path)
  printf "%s", sown > path
  close(path)
}

END {
  for (bug = 1; bug <= count; bug++) parse(bug)
  if (!refused) for (bug = 1; bug <= count; bug++) { locate(bug); sources[file[bug]] }
  if (!refused) for (source in sources) plant(source)
  if (!refused) for (bug = 1; bug <= count; bug++) printf "%s\t%s\t%s\n", name[bug], file[bug], law[bug]
  exit refused
}
