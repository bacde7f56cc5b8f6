"""Starting and keeping the processes of one machine: `huiying up`, the tests and the dialogue evaluation."""
