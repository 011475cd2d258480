"""What can be wrong: with the call, which ends the import, or with a row, which is then left out."""


class BadInput(Exception):
    """Ends the import with status 2: what, where, what to do."""


class LeftOut(Exception):
    """Why a row becomes no group. Rows are counted by reason; the detail belongs to one row."""

    def __init__(self, reason, detail=""):
        super().__init__(reason)
        self.reason = reason
        self.detail = detail
