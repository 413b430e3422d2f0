"""`python -I -m skiva.session`: the whole of a session's job script."""

from skiva.session.launch import main

main()
