package units

// Parse reads text in systemd's syntax that lies in no search path, such as a template that an image brings. file is how
// problems and lines call it. Where systemd would refuse the file, refused says why, and of the lines there are those of
// [Install] only.
func Parse(file, text string) (lines []Line, warnings Problems, refused *Problem) {
	return lex(file, text)
}
