"""`python -m gitops_wf.cli` is `gitops-wf`."""

from gitops_wf.cli.main import main

if __name__ == "__main__":
    main()
