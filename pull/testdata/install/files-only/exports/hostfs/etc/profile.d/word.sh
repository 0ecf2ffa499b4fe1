export WORD=x
