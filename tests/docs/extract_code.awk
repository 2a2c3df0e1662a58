# Writes every ```cpp block of Markdown files to OUT/<file>_<line>.cpp and prints the names. usage: awk -v OUT=DIR -f ...
/^```cpp$/ {
  name = FILENAME
  sub(/.*\//, "", name)
  sub(/\.md$/, "", name)
  file = OUT "/" name "_" FNR ".cpp"
  printf "" > file
  print file
  inside = 1
  next
}
/^```/ {
  if (inside) close(file)
  inside = 0
  next
}
inside { print > file }
